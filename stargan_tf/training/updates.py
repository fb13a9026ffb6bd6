"""One training iteration: two updates of D, two of G, in the published order (paper, appendix B)."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from stargan_tf.config import Config, LossConfig, RunConfig
from stargan_tf.losses import objectives
from stargan_tf.losses.objectives import DISCRIMINATOR_TERMS, GENERATOR_TERMS, Batch, Metrics, Translation
from stargan_tf.networks.shared_kernels import forget_kernels, share_kernels
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.accumulation import mean_over_parts

G = ("generator",)
G_F_E = ("generator", "mapping_network", "style_encoder")
D = ("discriminator",)

Translate = Callable[[Batch], Translation]
Loss = Callable[[Batch], tuple[tf.Tensor, Metrics]]


@share_kernels()
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
    nets, weights = state.networks, config.losses
    lambda_ds, regularize = diversity_weight(weights, step), regularizes(weights, step)
    tape, shared = None, None
    if shares_translations(config.training):
        with tf.GradientTape(watch_accessed_variables=False) as tape:  # goes on in the third update
            tape.watch([variable.value for variable in nets.variables_of(*G_F_E)])
            shared = objectives.latent_guided_translation(nets, batch)

    def latent_guided(part: Batch) -> Translation:
        return objectives.latent_guided_translation(nets, part) if shared is None else shared

    def reference_guided(part: Batch) -> Translation:
        return objectives.reference_guided_translation(nets, part, None if shared is None else shared.features)

    def latent_loss(part: Batch) -> tuple[tf.Tensor, Metrics]:
        return objectives.latent_guided_loss(nets, weights, part, latent_guided(part), lambda_ds)

    def reference_loss(part: Batch) -> tuple[tf.Tensor, Metrics]:
        return objectives.reference_guided_loss(nets, weights, part, lambda_ds)

    # D learns to tell real images from translations in styles that F draws ...
    metrics = {"d_latent": update_discriminator(state, config, batch, latent_guided, regularize)}

    # ... and from translations in styles of reference images.
    metrics["d_reference"] = update_discriminator(state, config, batch, reference_guided, regularize)

    # G, F and E learn from translations in styles that F draws ...
    if tape is not None:
        # Delay until D has moved, or the memory of both updates is needed at once.
        with tape, tf.control_dependencies(list(metrics["d_reference"].values())):
            shared = tf.nest.map_structure(tf.identity, shared)
        forget_kernels(nets.variables_of("style_encoder"))  # made for the second update, which this tape did not see
    gradient, terms = gradients(latent_loss, batch, nets.variables_of(*G_F_E), GENERATOR_TERMS, config.training, tape)
    metrics["g_latent"] = terms | apply_gradients(state, G_F_E, gradient)

    # ... and G alone from translations in styles of reference images.
    gradient, terms = gradients(reference_loss, batch, nets.variables_of(*G), GENERATOR_TERMS, config.training)
    metrics["g_reference"] = terms | apply_gradients(state, G, gradient)
    return {f"{update}/{term}": value for update, terms in metrics.items() for term, value in terms.items()}


def shares_translations(settings: RunConfig) -> bool:
    """Returns whether updates share translations, as they can because G, F and E do not move before the third one.

    In parts they do not, since keeping translations would need the memory of the whole batch, nor under XLA, which
    compiles the gradient of one update at a time: every update translates anew then.
    """
    return settings.microbatches == 1 and not settings.jit_compile


def update_discriminator(
    state: TrainingState, config: Config, batch: Batch, translate: Translate, regularize: tf.Tensor | bool = True
) -> Metrics:
    """Moves D by the gradient of its loss on sources and their translations, with R1 if this step `regularize`s.

    Returns:
        Loss, terms, and norm of the gradient.
    """
    nets, every = state.networks, config.losses.reg_every
    assert nets.discriminator is not None
    if shares_translations(config.training):
        whole = translate(batch)  # once, not in both branches below
        translate = lambda part: whole  # noqa: E731

    def compute(reg_weight: float) -> tuple[list[tf.Tensor], Metrics]:
        def loss(part: Batch) -> tuple[tf.Tensor, Metrics]:
            return objectives.discriminator_loss(nets, config.losses, part, translate(part).image, reg_weight)

        return gradients(loss, batch, nets.variables_of(*D), DISCRIMINATOR_TERMS, config.training)

    if every == 1:
        gradient, terms = compute(1.0)
    else:
        gradient, terms = tf.cond(regularize, lambda: compute(float(every)), lambda: compute(0.0))
    terms |= apply_gradients(state, D, gradient)
    nets.discriminator.advance_spectral_norm()
    return terms


def gradients(
    loss: Loss,
    batch: Batch,
    variables: Sequence[keras.Variable],
    terms: Sequence[str],
    settings: RunConfig,
    tape: tf.GradientTape | None = None,
) -> tuple[list[tf.Tensor], Metrics]:
    """Computes gradients with respect to these variables and no others.

    Args:
        loss: from a batch, or a part of one, to the mean loss of its examples and the terms of it.
        batch: the data.
        variables: what the update moves.
        terms: names of the terms.
        settings: `microbatches` and `jit_compile` of the run.
        tape: goes on recording here, where the loss builds on what it has recorded before.

    Returns:
        The gradients, zero where the loss does not depend on a variable, and the terms.
    """

    def compute(part: Batch) -> tuple[list[tf.Tensor], Metrics]:
        values = [variable.value for variable in variables]
        if tape is None:
            forget_kernels(variables)  # the tape must see how they are made
        with tape or tf.GradientTape(watch_accessed_variables=False) as recording:
            recording.watch(values)
            total, metrics = loss(part)
        return recording.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO), metrics

    def compiled(part: Batch) -> tuple[list[tf.Tensor], Metrics]:
        return tf.function(lambda: compute(part), autograph=False, jit_compile=True)()

    compute_part = compiled if settings.jit_compile else compute
    if settings.microbatches == 1:
        return compute_part(batch)
    return mean_over_parts(compute_part, batch, settings.microbatches, variables, terms)


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
        variables = state.networks.variables_of(name)
        mine, gradient = gradient[: len(variables)], gradient[len(variables) :]
        norms[f"grad_norm_{name}"] = tf.linalg.global_norm(mine)
        state.optimizers[name].apply(mine, variables)
        forget_kernels(variables)
    return norms


def diversity_weight(weights: LossConfig, step: tf.Tensor) -> tf.Tensor:
    """Returns `lambda_ds` for the iteration after `step` finished ones: it falls linearly to 0 over `ds_iter`."""
    return weights.lambda_ds * tf.nn.relu(1.0 - tf.cast(step, keras.config.floatx()) / weights.ds_iter)


def regularizes(weights: LossConfig, step: tf.Tensor) -> tf.Tensor:
    """Returns whether R1 is part of D's loss in the iteration after `step` finished ones: in every `reg_every`-th."""
    return tf.equal(step % weights.reg_every, 0)
