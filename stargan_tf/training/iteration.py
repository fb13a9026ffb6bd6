"""Iterations over all devices, compiled: latent codes, the four updates, the moving average, the counter."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import keras
import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data.scaling import scale_tensor
from stargan_tf.networks.face_masks import find_masks
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs.state import TrainingState, update_ema
from stargan_tf.training.accumulation import masks_in_parts
from stargan_tf.training.step import Batch, Metrics, diversity_weight, latent_codes, train_step

# So far apart are the steps whose latent codes a run draws before and after it went back to a checkpoint.
_FRESH_NOISE = 2**32

# The name, among the metrics of a step, of the seconds that it waited for its batch; unknown in deterministic runs.
DATA_WAIT = "time/data_wait"


class StepMetrics(tf.experimental.ExtensionType):
    """The metrics of consecutive steps: one tensor, since each one that leaves the graph costs time of its own.

    Args:
        names: of the metrics.
        values: [number of steps, number of metrics].
    """

    names: tuple[str, ...]
    values: tf.Tensor


def compile_iteration(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_network: FaceNetwork | None = None,
) -> Callable[[dict[str, tf.Tensor]], Metrics]:
    """Compiles one iteration over all devices, on a batch given.

    Args:
        strategy: the devices.
        state: built in the strategy's scope; changed by every call.
        config: resolved.
        face_network: finds the masks of the high-pass skip; also built in the strategy's scope.

    Returns:
        A function from a distributed batch of `training_dataset`, with images of uint8, to the metrics, averaged over
        the devices.
    """

    @tf.function(autograph=False)
    def iterate(data: dict[str, tf.Tensor]) -> Metrics:
        names, values = _iterate(strategy, state, config, face_network, data)
        return dict(zip(names, tf.unstack(values), strict=True))

    return iterate


def compile_steps(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_network: FaceNetwork | None = None,
) -> Callable[[Iterator[dict[str, tf.Tensor]], int], StepMetrics]:
    """Compiles up to `training.steps_per_call` iterations over all devices as one call, which takes its own batches.

    Args:
        strategy: the devices.
        state: built in the strategy's scope; changed by every call.
        config: resolved.
        face_network: finds the masks of the high-pass skip; also built in the strategy's scope.

    Returns:
        A function from a distributed iterator over `training_dataset` and the number of iterations to do, from 1 to
        `training.steps_per_call`, to their metrics, averaged over the devices.
    """
    limit, dtype = config.training.steps_per_call, keras.config.floatx()
    names: tuple[str, ...] = ()
    timed = _has_clock()

    # A function of its own in the graph: TensorFlow optimizes it by itself, and alike whether it stands in a loop or
    # not. Otherwise one step a call and several would round differently.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def iteration(batch: dict[str, tf.Tensor]) -> tf.Tensor:
        nonlocal names
        names, values = _iterate(strategy, state, config, face_network, batch)
        return values

    def one(batches: Iterator[dict[str, tf.Tensor]]) -> tf.Tensor:
        if not timed:
            return iteration(next(batches))
        # Read in the graph: outside of it, only the wait for the first batch of a call could be seen.
        start = tf.timestamp()
        with tf.control_dependencies([start]):
            batch = next(batches)
        local = [part for value in batch.values() for part in strategy.experimental_local_results(value)]
        with tf.control_dependencies(local):
            wait = tf.timestamp() - start
        return tf.concat([iteration(batch), [tf.cast(wait, dtype)]], 0)

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
        return StepMetrics((*names, DATA_WAIT) if timed else names, values)

    def call(batches: Iterator[dict[str, tf.Tensor]], count: int) -> StepMetrics:
        if not 1 <= count <= limit:
            raise ValueError(f"a call does 1 to {limit} steps, not {count}")
        return iterate(batches, tf.constant(count))  # a tensor, or each number of steps would be compiled anew

    return call


def _iterate(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_network: FaceNetwork | None,
    data: dict[str, tf.Tensor],
) -> tuple[tuple[str, ...], tf.Tensor]:
    """Adds one iteration to the graph.

    Returns:
        The names of the metrics, and their values, averaged over the devices.
    """
    replicas = strategy.num_replicas_in_sync
    step = tf.identity(state.step)
    names: tuple[str, ...] = ()

    def on_replica(data: dict[str, tf.Tensor]) -> tf.Tensor:
        nonlocal names
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        drawn = step + state.noise * _FRESH_NOISE
        latent, latent_2 = latent_codes(config, drawn, replica, config.input.batch_size // replicas)
        seed = tf.random.fold_in(tf.stack([tf.constant(config.training.seed, tf.int64), drawn]), replica)
        data = data | {name: scale_tensor(data[name]) for name in ("source", "reference", "reference_2")}
        batch = Batch(**data, latent=latent, latent_2=latent_2, seed=seed)
        if face_network is not None:
            masks = partial(find_masks, face_network)
            source_masks = masks_in_parts(masks, batch.source, config.training.microbatches)
            batch = replace(batch, source_masks=source_masks, find_masks=masks)
        metrics = train_step(state, config, batch, step)
        metrics["lambda_ds"] = diversity_weight(config.losses, step)
        names = tuple(metrics)
        # One reduction for all of them.
        return tf.stack([tf.cast(value, keras.config.floatx()) for value in metrics.values()])

    values = strategy.run(on_replica, args=(data,))
    values = strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)
    with strategy.scope():
        update_ema(state, config.optimizers.ema_decay)
    state.step.assign_add(1)
    return names, values


def _has_clock() -> bool:
    """Whether graphs may read the clock: with deterministic operations TensorFlow refuses what differs between runs."""
    try:
        tf.timestamp()
    except tf.errors.FailedPreconditionError:
        return False
    return True
