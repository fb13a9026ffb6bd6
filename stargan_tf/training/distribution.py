"""Which devices a run uses."""

import functools

import tensorflow as tf

from stargan_tf.errors import UserError


def create_strategy(devices: int | None = None) -> tf.distribute.Strategy:
    """Returns a strategy over GPUs, or over logical CPUs if there are no GPUs: mirrored if it is over several.

    Args:
        devices: how many, by default all.

    Returns:
        The strategy.

    Raises:
        UserError: there are fewer devices.
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices is not None and devices > len(names):
        raise UserError(f"--training.devices is {devices}; this machine has {len(names)} of kind {kind}")
    return _strategy_over(tuple(names[:devices]))


# One for the same devices in a process: two mirrored strategies would take each other's sums for theirs.
@functools.cache
def _strategy_over(names: tuple[str, ...]) -> tf.distribute.Strategy:
    return tf.distribute.OneDeviceStrategy(names[0]) if len(names) == 1 else tf.distribute.MirroredStrategy(names)
