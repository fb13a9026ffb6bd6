"""The batches of a run, distributed over its devices."""

from collections.abc import Iterator

import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.records import DataDirectory
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.distribution import distribute

# Seeds are below this: after a roll-back a run sees images in the order of a seed that no other run has.
_SEEDS = 2**31


def batches_from(
    state: TrainingState, config: Config, data: DataDirectory, corrupt: CorruptRecords, strategy: tf.distribute.Strategy
) -> Iterator[dict[str, tf.Tensor]]:
    """Gives the batches of the steps that follow `state.step`: a pure function of seed, roll-backs and step.

    Args:
        state: of the run.
        config: resolved.
        data: the data directory.
        corrupt: counts records that cannot be decoded.
        strategy: the devices.

    Returns:
        Distributed batches of `training_dataset`.
    """
    seed, step = config.training.seed + int(state.rollbacks.numpy()) * _SEEDS, int(state.step.numpy())

    def of_worker(worker: int, count: int) -> tf.data.Dataset:
        return training_dataset(data, config.input, seed, step, worker, count, corrupt)

    return iter(distribute(strategy, config.input.batch_size, of_worker))
