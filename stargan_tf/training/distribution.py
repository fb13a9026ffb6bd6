"""Which devices a run uses."""

import functools

import tensorflow as tf


# One for a process: the sums over devices of two strategies would be taken for each other.
@functools.cache
def create_strategy() -> tf.distribute.Strategy:
    """Returns a strategy over all GPUs, or all logical CPUs if there are none: mirrored if there are several."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(devices) == 1:
        return tf.distribute.OneDeviceStrategy(devices[0])
    return tf.distribute.MirroredStrategy(devices)
