"""Several iterations in one call, which takes its own batches and measures how long it waits for them."""

import contextlib
from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from stargan_tf.base.process import freed_memory, garbage
from stargan_tf.config import Config
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.iteration import StepMetrics, compile_iteration

# The name, among the metrics of a step, of the seconds that it waited for its batch; unknown in deterministic runs.
DATA_WAIT = "time/data_wait"


def compile_steps(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_network: FaceNetwork | None = None,
) -> Callable[[Iterator[dict[str, tf.Tensor]], int], StepMetrics]:
    """Compiles up to `training.steps_per_call` iterations as one call; for the arguments see `compile_iteration`.

    Returns:
        A function from a distributed iterator over `training_dataset` and the number of iterations to do, from 1 to
        `training.steps_per_call`, to their metrics, averaged over the devices.
    """
    limit, dtype, timed = config.training.steps_per_call, keras.config.floatx(), _has_clock()
    iteration = compile_iteration(strategy, state, config, face_network)
    names: tuple[str, ...] = ()

    def one(batches: Iterator[dict[str, tf.Tensor]]) -> tf.Tensor:
        nonlocal names
        if timed:
            batch, wait = _timed_next(strategy, batches)
            metrics = iteration(batch)
            names = (*metrics.names, DATA_WAIT)
            return tf.concat([metrics.values[0], [tf.cast(wait, dtype)]], 0)
        metrics = iteration(next(batches))
        names = metrics.names
        return metrics.values[0]

    @tf.function(autograph=False)
    def iterate(batches: Iterator[dict[str, tf.Tensor]], count: tf.Tensor) -> StepMetrics:
        if limit == 1:
            values = one(batches)[None]
        else:
            done = tf.TensorArray(dtype, size=count)
            _, done = tf.while_loop(
                lambda index, _: index < count,
                lambda index, done: (index + 1, done.write(index, one(batches))),
                [0, done],
                parallel_iterations=1,
            )
            values = done.stack()
        return StepMetrics(names, values)

    def call(batches: Iterator[dict[str, tf.Tensor]], count: int) -> StepMetrics:
        if not 1 <= count <= limit:
            raise ValueError(f"a call does 1 to {limit} steps, not {count}")
        with contextlib.ExitStack() as first:
            if not names:  # the first call traces
                first.enter_context(garbage.not_looked_for())
                first.enter_context(freed_memory.given_back())
            return iterate(batches, tf.constant(count))  # a tensor, or each number of steps would be compiled anew

    return call


def _has_clock() -> bool:
    """Whether graphs may read the clock: with deterministic operations TensorFlow refuses what differs between runs."""
    try:
        tf.timestamp()
    except tf.errors.FailedPreconditionError:
        return False
    return True


def _timed_next(
    strategy: tf.distribute.Strategy, batches: Iterator[dict[str, tf.Tensor]]
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Takes a batch, and the seconds it took: in the graph, since outside only a call's first batch could be timed."""
    start = tf.timestamp()
    with tf.control_dependencies([start]):
        batch = next(batches)
    local = [part for value in batch.values() for part in strategy.experimental_local_results(value)]
    with tf.control_dependencies(local):
        return batch, tf.timestamp() - start
