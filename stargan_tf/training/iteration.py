"""One iteration over all devices, compiled: latent codes, the four updates, the moving average, the counter."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import tensorflow as tf

from stargan_tf.config import Config
from stargan_tf.data.scaling import scale_tensor
from stargan_tf.networks.face_alignment import FaceAlignmentNetwork
from stargan_tf.networks.face_masks import find_masks
from stargan_tf.training.accumulation import masks_in_parts
from stargan_tf.training.state import TrainingState, update_ema
from stargan_tf.training.step import Batch, Metrics, diversity_weight, latent_codes, train_step

# So far apart are the steps whose latent codes a run draws before and after it went back to a checkpoint.
_FRESH_NOISE = 2**32


def compile_iteration(
    strategy: tf.distribute.Strategy,
    state: TrainingState,
    config: Config,
    face_alignment: FaceAlignmentNetwork | None = None,
) -> Callable[[dict[str, tf.Tensor]], Metrics]:
    """Compiles one iteration over all devices.

    Args:
        strategy: the devices.
        state: built in the strategy's scope; changed by every call.
        config: resolved.
        face_alignment: finds the masks of the high-pass skip; also built in the strategy's scope.

    Returns:
        A function from a distributed batch of `training_dataset`, with images of uint8, to the metrics, averaged over
        the devices.
    """
    replicas = strategy.num_replicas_in_sync

    def on_replica(data: dict[str, tf.Tensor], step: tf.Tensor) -> Metrics:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        drawn = step + state.noise * _FRESH_NOISE
        latent, latent_2 = latent_codes(config, drawn, replica, config.input.batch_size // replicas)
        seed = tf.random.fold_in(tf.stack([tf.constant(config.training.seed, tf.int64), drawn]), replica)
        data = data | {name: scale_tensor(data[name]) for name in ("source", "reference", "reference_2")}
        batch = Batch(**data, latent=latent, latent_2=latent_2, seed=seed)
        if face_alignment is not None:
            masks = partial(find_masks, face_alignment)
            source_masks = masks_in_parts(masks, batch.source, config.training.microbatches)
            batch = replace(batch, source_masks=source_masks, find_masks=masks)
        return train_step(state, config, batch, step)

    @tf.function(autograph=False)
    def iterate(data: dict[str, tf.Tensor]) -> Metrics:
        step = tf.identity(state.step)
        metrics = strategy.run(on_replica, args=(data, step))
        metrics = {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None) for name, value in metrics.items()
        }
        with strategy.scope():
            update_ema(state, config.optimizers.ema_decay)
        state.step.assign_add(1)
        return metrics | {"lambda_ds": diversity_weight(config.losses, step)}

    return iterate
