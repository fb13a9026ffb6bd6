"""Which devices a run uses, of this machine or of several."""

import functools
from collections.abc import Callable, Mapping

import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.base.process import signals
from stargan_tf.training.cluster import Cluster, read_cluster
from stargan_tf.training.meeting import met

Facts = Callable[[], Mapping[str, str]]


def create_strategy(kind: str = "auto", devices: int | None = None, facts: Facts = dict) -> tf.distribute.Strategy:
    """Returns a strategy over GPUs, or over logical CPUs if there are no GPUs.

    Over several machines it must be created before TensorFlow's first operation.

    Args:
        kind: see `config.RunConfig.strategy`.
        devices: how many of this machine, by default all.
        facts: tells, where there are several processes, what must be the same for all of them, see `agreement`.

    Returns:
        The strategy; of several processes, when all of them are here.

    Raises:
        UserError: there are fewer devices, too many for the kind, TF_CONFIG is not what the kind needs or cannot work,
            or the processes do not do the same work.
    """
    cluster = read_cluster(kind)
    if cluster is not None:
        return _multi_worker_strategy(cluster, devices, facts)
    if kind == "one_device" and (devices or 1) > 1:
        raise UserError(f"--training.devices is {devices}; with --training.strategy one_device it can only be 1")
    names = [device.name for device in tf.config.list_logical_devices(_device_kind())]
    _check_count(devices, len(names))
    return _strategy_over(tuple(names[: 1 if kind == "one_device" else devices]), kind == "mirrored")


def describe(strategy: tf.distribute.Strategy) -> str:
    """Returns in words what a strategy computes on."""
    count = strategy.num_replicas_in_sync
    device = tf.DeviceSpec.from_string(strategy.extended.worker_devices[0]).device_type
    workers = num_workers(strategy)
    return f"{count} {device}{'s' if count > 1 else ''}" + (f" of {workers} workers" if workers > 1 else "")


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns how many processes train together."""
    return strategy.num_replicas_in_sync // len(strategy.extended.worker_devices)


def distribute(
    strategy: tf.distribute.Strategy, batch_size: int, dataset: Callable[[int, int], tf.data.Dataset]
) -> tf.distribute.DistributedDataset:
    """Gives every replica its rows of each global batch: replica r of N has the r-th N-th of the rows.

    Args:
        strategy: the devices.
        batch_size: of the global batch, a multiple of the number of replicas.
        dataset: from this worker's number and the number of workers to batches of this worker's rows.

    Returns:
        A dataset that gives one distributed batch a step.
    """
    per_replica = batch_size // strategy.num_replicas_in_sync

    def worker_dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
        batches = dataset(context.input_pipeline_id, context.num_input_pipelines)
        if context.num_replicas_in_sync == context.num_input_pipelines:
            return batches
        # The strategy takes one element for each of this worker's replicas, in order.
        return batches.rebatch(per_replica, drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(worker_dataset)


def _multi_worker_strategy(cluster: Cluster, devices: int | None, facts: Facts) -> tf.distribute.Strategy:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        _check_count(devices, len(gpus))
        if devices is not None:
            tf.config.set_visible_devices(gpus[:devices], "GPU")
    elif (devices or 1) > 1:
        raise UserError(f"--training.devices is {devices}; without GPUs a worker of several has one device")
    if cluster not in _CONNECTED:
        with met(cluster, facts()), signals.kept():
            _CONNECTED[cluster] = tf.distribute.MultiWorkerMirroredStrategy()  # reads TF_CONFIG itself
    return _CONNECTED[cluster]


def _device_kind() -> str:
    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def _check_count(devices: int | None, available: int) -> None:
    if devices is not None and devices > available:
        raise UserError(f"--training.devices is {devices}; this machine has {available} of kind {_device_kind()}")


# One for the same devices in a process: two mirrored strategies would take each other's sums for theirs.
_CONNECTED: dict[Cluster, tf.distribute.Strategy] = {}


@functools.cache
def _strategy_over(names: tuple[str, ...], mirrored: bool = False) -> tf.distribute.Strategy:
    if len(names) == 1 and not mirrored:
        return tf.distribute.OneDeviceStrategy(names[0])
    return tf.distribute.MirroredStrategy(names)
