"""One iteration over all devices, compiled: latent codes, the four updates, the moving average, the counter."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import keras
import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data.scaling import scale_tensor
from stargan_tf.losses.objectives import Batch
from stargan_tf.networks.face_masks import find_masks
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs.state import TrainingState, update_ema
from stargan_tf.training.accumulation import masks_in_parts
from stargan_tf.training.updates import diversity_weight, train_step

# After each roll-back, latent codes are drawn as for a step this much later.
_ROLLBACK_OFFSET = 2**32


class StepMetrics(tf.experimental.ExtensionType):
    """The metrics of consecutive steps: one tensor, since each one that leaves the graph costs time of its own.

    Attributes:
        names: of the metrics.
        values: [number of steps, number of metrics].
    """

    names: tuple[str, ...]
    values: tf.Tensor

    def rows(self) -> list[dict[str, float]]:
        """Returns the metrics of each step by name; waits for the device."""
        return [dict(zip(self.names, row.tolist(), strict=True)) for row in self.values.numpy()]


def compile_iteration(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_network: FaceNetwork | None = None,
) -> Callable[[dict[str, tf.Tensor]], StepMetrics]:
    """Compiles one iteration over all devices.

    Args:
        strategy: the devices.
        state: built in the strategy's scope; changed by every call.
        config: resolved.
        face_network: finds the masks of the high-pass skip; also built in the strategy's scope.

    Returns:
        A function from a distributed batch of `training_dataset`, with images of uint8, to the metrics, averaged over
        the devices.
    """
    replicas = strategy.num_replicas_in_sync
    names: tuple[str, ...] = ()

    def on_replica(data: dict[str, tf.Tensor], step: tf.Tensor) -> tf.Tensor:
        nonlocal names
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        drawn = step + state.rollbacks * _ROLLBACK_OFFSET
        latent, latent_2 = latent_codes(config, drawn, replica, config.input.batch_size // replicas)
        seed = tf.random.fold_in(tf.stack([tf.constant(config.training.seed, tf.int64), drawn]), replica)
        data = data | {name: scale_tensor(data[name]) for name in ("source", "reference", "reference_2")}
        batch = Batch(**data, latent=latent, latent_2=latent_2, seed=seed)
        if face_network is not None:
            masks = partial(find_masks, face_network)
            source_masks = masks_in_parts(masks, batch.source, config.training.microbatches)
            batch = replace(batch, source_masks=source_masks, find_masks=masks)
        metrics = train_step(state, config, batch, step) | {"lambda_ds": diversity_weight(config.losses, step)}
        names = tuple(metrics)
        # One reduction over the devices for all of them.
        return tf.stack([tf.cast(value, keras.config.floatx()) for value in metrics.values()])

    # A function of its own in the graph of `compile_steps`: TensorFlow optimizes it by itself, and alike whether it
    # stands in a loop or not. Otherwise one step a call and several would round differently.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def iterate(data: dict[str, tf.Tensor]) -> StepMetrics:
        values = strategy.run(on_replica, args=(data, tf.identity(state.step)))
        values = strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)
        with strategy.scope():
            update_ema(state, config.optimizers.ema_decay)
        state.step.assign_add(1)
        return StepMetrics(names, values[None])

    return iterate


def latent_codes(
    config: Config, step: tf.Tensor, replica: tf.Tensor, replica_batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws the latent codes of one iteration: a pure function of seed and step, so that a resumed run draws the same.

    Every example of the global batch has codes of its own, whichever replica sees it.

    Args:
        config: resolved.
        step: number of finished iterations.
        replica: index of this replica, int32.
        replica_batch: number of examples that every replica sees, int32.

    Returns:
        Two arrays [replica_batch, latent_dim].
    """
    seed = tf.stack([tf.constant(config.training.seed, tf.int64), tf.cast(step, tf.int64)])
    codes = tf.random.stateless_normal([config.input.batch_size, 2, config.model.latent_dim], seed)
    mine = codes[replica * replica_batch : (replica + 1) * replica_batch]  # [replica_batch, 2, latent_dim]
    return mine[:, 0], mine[:, 1]
