"""One training iteration: two updates of D, two of G, in the published order (paper, appendix B)."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from stargan_tf.config import Config, LossConfig
from stargan_tf.losses.objectives import (
    DISCRIMINATOR_TERMS,
    GENERATOR_TERMS,
    Batch,
    Metrics,
    discriminator_loss,
    gradients,
    latent_guided_loss,
    latent_guided_translation,
    reference_guided_loss,
    reference_guided_translation,
)
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.accumulation import mean_over_parts

# What the latent-guided update of G moves.
_MOVED = ("generator", "mapping_network", "style_encoder")


def train_step(state: TrainingState, config: Config, batch: Batch, step: tf.Tensor) -> Metrics:
    """Runs the four updates of one iteration on one replica; the moving average and the counter are the caller's.

    Args:
        state: changed in place.
        config: resolved.
        batch: this replica's share.
        step: number of finished iterations, int64.

    Returns:
        Scalars by name, averaged over this replica's share.
    """
    weights, parts, jit_compile = config.losses, config.training.microbatches, config.training.jit_compile
    lambda_ds, regularize = diversity_weight(weights, step), regularizes(weights, step)
    if parts == 1 and not jit_compile:
        metrics = _updates_that_share(state, weights, batch, lambda_ds, regularize)
    else:
        metrics = _separate_updates(state, weights, batch, lambda_ds, regularize, parts, jit_compile)
    return {f"{update}/{term}": value for update, terms in metrics.items() for term, value in terms.items()}


def _updates_that_share(
    state: TrainingState, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor, regularize: tf.Tensor
) -> dict[str, Metrics]:
    """Shares what the updates have in common.

    G, F and E move only after D's two updates, so one encoding of the sources serves the first three updates, and one
    latent-guided translation the first and the third.
    """
    nets, metrics = state.networks, {}
    values = [variable.value for name in _MOVED for variable in getattr(nets, name).trainable_variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        translation = latent_guided_translation(nets, batch)
        with tape.stop_recording():
            latent_guided = lambda _: translation.image  # noqa: E731
            metrics["d_latent"] = update_discriminator(state, weights, batch, latent_guided, regularize)
            image = reference_guided_translation(nets, batch, translation.features).image
            metrics["d_reference"] = update_discriminator(state, weights, batch, lambda _: image, regularize)
        # Nothing else would keep D's update and what follows apart, and the memory of both would be needed at once.
        with tf.control_dependencies(list(metrics["d_reference"].values())):
            translation = tf.nest.map_structure(tf.identity, translation)
        total, terms = latent_guided_loss(nets, weights, batch, translation, lambda_ds)
    gradient = tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    metrics["g_latent"] = terms | apply_gradients(state, _MOVED, gradient)
    metrics["g_reference"] = update_generator_reference_guided(state, weights, batch, lambda_ds)
    return metrics


def _separate_updates(
    state: TrainingState,
    weights: LossConfig,
    batch: Batch,
    lambda_ds: tf.Tensor,
    regularize: tf.Tensor,
    parts: int,
    jit_compile: bool,
) -> dict[str, Metrics]:
    """Lets every update translate anew.

    In parts, since keeping translations would need the memory of the whole batch; for XLA, since it compiles the
    gradient of one update at a time.
    """
    nets, metrics = state.networks, {}

    def latent_guided(part: Batch) -> tf.Tensor:
        return latent_guided_translation(nets, part).image

    def reference_guided(part: Batch) -> tf.Tensor:
        return reference_guided_translation(nets, part, nets.generator.encode(part.source)).image

    metrics["d_latent"] = update_discriminator(state, weights, batch, latent_guided, regularize, parts, jit_compile)
    metrics["d_reference"] = update_discriminator(
        state, weights, batch, reference_guided, regularize, parts, jit_compile
    )

    def loss(part: Batch) -> tuple[tf.Tensor, Metrics]:
        return latent_guided_loss(nets, weights, part, latent_guided_translation(nets, part), lambda_ds)

    variables = [variable for name in _MOVED for variable in getattr(nets, name).trainable_variables]
    gradient, terms = mean_over_parts(
        lambda part: gradients(lambda: loss(part), variables, jit_compile), batch, parts, variables, GENERATOR_TERMS
    )
    metrics["g_latent"] = terms | apply_gradients(state, _MOVED, gradient)
    metrics["g_reference"] = update_generator_reference_guided(state, weights, batch, lambda_ds, parts, jit_compile)
    return metrics


def update_discriminator(
    state: TrainingState,
    weights: LossConfig,
    batch: Batch,
    translate: Callable[[Batch], tf.Tensor],
    regularize: tf.Tensor | bool = True,
    parts: int = 1,
    jit_compile: bool = False,
) -> Metrics:
    """D learns to tell real images from translations.

    Args:
        state: changed in place.
        weights: the weights of the terms.
        batch: the data.
        translate: translates the sources of a part of the batch to their target domains, [B / parts, H, W, 3]; no
            gradient flows into them.
        regularize: whether R1 is part of the loss at this step.
        parts: how many parts of the batch are computed one after the other.
        jit_compile: whether XLA compiles the gradient.

    Returns:
        Loss, terms, and norm of the gradient.
    """
    variables = state.networks.discriminator.trainable_variables

    def compute(reg_weight: float) -> tuple[list[tf.Tensor], Metrics]:
        def compute_part(part: Batch) -> tuple[list[tf.Tensor], Metrics]:
            return gradients(
                lambda: discriminator_loss(state.networks, weights, part, translate(part), reg_weight),
                variables,
                jit_compile,
            )

        return mean_over_parts(compute_part, batch, parts, variables, DISCRIMINATOR_TERMS)

    if weights.reg_every == 1:
        gradient, terms = compute(1.0)
    else:
        gradient, terms = tf.cond(regularize, lambda: compute(float(weights.reg_every)), lambda: compute(0.0))
    terms |= apply_gradients(state, ["discriminator"], gradient)
    state.networks.discriminator.advance_spectral_norm()
    return terms


def update_generator_reference_guided(
    state: TrainingState,
    weights: LossConfig,
    batch: Batch,
    lambda_ds: tf.Tensor,
    parts: int = 1,
    jit_compile: bool = False,
) -> Metrics:
    """G alone learns from translations in the styles of two reference images."""
    nets = state.networks
    variables = nets.generator.trainable_variables
    gradient, terms = mean_over_parts(
        lambda part: gradients(lambda: reference_guided_loss(nets, weights, part, lambda_ds), variables, jit_compile),
        batch,
        parts,
        variables,
        GENERATOR_TERMS,
    )
    return terms | apply_gradients(state, ["generator"], gradient)


def diversity_weight(weights: LossConfig, step: tf.Tensor) -> tf.Tensor:
    """Returns `lambda_ds` for the iteration after `step` finished ones: it falls linearly to 0 over `ds_iter`."""
    return weights.lambda_ds * tf.nn.relu(1.0 - tf.cast(step, keras.config.floatx()) / weights.ds_iter)


def regularizes(weights: LossConfig, step: tf.Tensor) -> tf.Tensor:
    """Returns whether R1 is part of D's loss in the iteration after `step` finished ones: in every `reg_every`-th."""
    return tf.equal(step % weights.reg_every, 0)


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
    mine = codes[replica * replica_batch : (replica + 1) * replica_batch]
    return mine[:, 0], mine[:, 1]


def apply_gradients(state: TrainingState, names: Sequence[str], gradient: Sequence[tf.Tensor]) -> Metrics:
    """Moves networks by one step of their optimizers.

    Args:
        state: changed in place.
        names: of the networks.
        gradient: for the trainable variables of these networks, one after the other: of the mean loss over this
            replica's share of the batch.

    Returns:
        The norm of each network's gradient, by `grad_norm_NAME`.
    """
    # The optimizer sums over replicas; the loss of a batch is the mean over its parts.
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    if replicas > 1:
        gradient = [part / replicas for part in gradient]
    norms = {}
    for name in names:
        variables = getattr(state.networks, name).trainable_variables
        mine, gradient = gradient[: len(variables)], gradient[len(variables) :]
        norms[f"grad_norm_{name}"] = tf.linalg.global_norm(mine)
        state.optimizers[name].apply(mine, variables)
    return norms
