"""One training iteration: two updates of D, two of G, in the published order (paper, appendix B)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from stargan_tf import losses
from stargan_tf.config import Config, LossConfig
from stargan_tf.networks import Networks
from stargan_tf.networks.generator import Masks
from stargan_tf.training.state import TrainingState

Metrics = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Batch:
    """What one iteration sees of one replica's share of the data.

    Args:
        source: real images to translate, [B, H, W, 3] in [-1, 1].
        source_domain: their domains, [B].
        reference: an image of each target domain, [B, H, W, 3].
        reference_2: another one of the same domain.
        target_domain: the domains to translate to, [B].
        latent: latent codes, [B, latent_dim].
        latent_2: others.
        source_masks: masks of the sources for the high-pass skip; without them nothing is carried over.
        find_masks: computes the masks of other images.
    """

    source: tf.Tensor
    source_domain: tf.Tensor
    reference: tf.Tensor
    reference_2: tf.Tensor
    target_domain: tf.Tensor
    latent: tf.Tensor
    latent_2: tf.Tensor
    source_masks: Masks | None = None
    find_masks: Callable[[tf.Tensor], Masks | None] = lambda images: None


def train_step(state: TrainingState, config: Config, batch: Batch, lambda_ds: tf.Tensor) -> Metrics:
    """Runs the four updates of one iteration on one replica; the moving average and the counter are the caller's.

    Args:
        state: changed in place.
        config: resolved.
        batch: this replica's share.
        lambda_ds: weight of the diversity term at this step.

    Returns:
        Scalars by name, averaged over this replica's share.
    """
    metrics = {}
    for name, update in (
        ("d_latent", update_discriminator_latent_guided),
        ("d_reference", update_discriminator_reference_guided),
        ("g_latent", update_generator_latent_guided),
        ("g_reference", update_generator_reference_guided),
    ):
        terms = update(state, config.losses, batch, lambda_ds)
        metrics |= {f"{name}/{term}": value for term, value in terms.items()}
    return metrics


def update_discriminator_latent_guided(
    state: TrainingState, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> Metrics:
    """D learns to tell real images from translations in the style of a latent code."""
    del lambda_ds
    style = state.networks.mapping_network(batch.latent, batch.target_domain)
    return _update_discriminator(state, weights, batch, style)


def update_discriminator_reference_guided(
    state: TrainingState, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> Metrics:
    """D learns to tell real images from translations in the style of a reference image."""
    del lambda_ds
    style = state.networks.style_encoder(batch.reference, batch.target_domain)
    return _update_discriminator(state, weights, batch, style)


def update_generator_latent_guided(
    state: TrainingState, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> Metrics:
    """G, F and E learn from translations in the styles of two latent codes."""
    return _update(
        state,
        ["generator", "mapping_network", "style_encoder"],
        lambda: latent_guided_loss(state.networks, weights, batch, lambda_ds),
    )


def update_generator_reference_guided(
    state: TrainingState, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> Metrics:
    """G alone learns from translations in the styles of two reference images."""
    return _update(state, ["generator"], lambda: reference_guided_loss(state.networks, weights, batch, lambda_ds))


def discriminator_loss(
    networks: Networks, weights: LossConfig, batch: Batch, style: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes D's loss.

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        style: style codes of the target domain, [B, style_dim]; no gradient flows into them.

    Returns:
        The loss, and its terms by name before weighting.
    """
    adversarial = losses.ADVERSARIAL[weights.adversarial]
    fake = networks.generator(batch.source, tf.stop_gradient(style), batch.source_masks)
    logits_real, reg = losses.r1(networks.discriminator, batch.source, batch.source_domain)
    logits_fake = networks.discriminator(tf.stop_gradient(fake), batch.target_domain)

    real = adversarial.real(logits_real)
    generated = adversarial.fake(logits_fake)
    total = real + generated + weights.lambda_reg * reg
    return total, {
        "total": total,
        "real": real,
        "fake": generated,
        "reg": reg,
        "logit_real": tf.reduce_mean(logits_real),
        "logit_fake": tf.reduce_mean(logits_fake),
    }


def latent_guided_loss(
    networks: Networks, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the generator's loss with styles from the mapping network; arguments and result as `generator_loss`."""
    style = networks.mapping_network(batch.latent, batch.target_domain)
    other = networks.mapping_network(batch.latent_2, batch.target_domain)
    return generator_loss(networks, weights, batch, style, other, lambda_ds)


def reference_guided_loss(
    networks: Networks, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the generator's loss with styles from the style encoder; arguments and result as `generator_loss`."""
    style = networks.style_encoder(batch.reference, batch.target_domain)
    other = networks.style_encoder(batch.reference_2, batch.target_domain)
    return generator_loss(networks, weights, batch, style, other, lambda_ds)


def generator_loss(
    networks: Networks,
    weights: LossConfig,
    batch: Batch,
    style: tf.Tensor,
    other_style: tf.Tensor,
    lambda_ds: tf.Tensor,
) -> tuple[tf.Tensor, Metrics]:
    """Computes the generator's full objective (equation 5).

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        style: style codes of the target domain, [B, style_dim].
        other_style: others, for the diversity term.
        lambda_ds: weight of the diversity term.

    Returns:
        The loss, and its terms by name before weighting.
    """
    generator, encoder = networks.generator, networks.style_encoder
    features = generator.encode(batch.source)  # does not depend on the style: once for both

    # The translation must look like an image of the target domain ...
    fake = generator.decode(features, style, batch.source_masks)
    logits = networks.discriminator(fake, batch.target_domain)
    adv = losses.ADVERSARIAL[weights.adversarial].generator(logits)

    # ... show the style it was given ...
    sty = losses.style_reconstruction(style, encoder(fake, batch.target_domain))

    # ... differ from the translation in another style ...
    other = generator.decode(features, tf.stop_gradient(other_style), batch.source_masks)
    ds = losses.style_diversification(fake, other)

    # ... and lead back to the source.
    source_style = encoder(batch.source, batch.source_domain)
    reconstructed = generator(fake, source_style, batch.find_masks(fake))
    cyc = losses.cycle_consistency(batch.source, reconstructed)

    total = adv + weights.lambda_sty * sty - lambda_ds * ds + weights.lambda_cyc * cyc
    return total, {"total": total, "adv": adv, "sty": sty, "ds": ds, "cyc": cyc}


def diversity_weight(weights: LossConfig, step: tf.Tensor) -> tf.Tensor:
    """Returns `lambda_ds` for the iteration after `step` finished ones: it falls linearly to 0 over `ds_iter`."""
    return weights.lambda_ds * tf.nn.relu(1.0 - tf.cast(step, keras.config.floatx()) / weights.ds_iter)


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


def gradients(
    loss: Callable[[], tuple[tf.Tensor, Metrics]], variables: Sequence[keras.Variable]
) -> tuple[list[tf.Tensor], Metrics]:
    """Computes gradients with respect to these variables and no others.

    Args:
        loss: computes the loss and its terms.
        variables: what the update moves.

    Returns:
        The gradients, zero where the loss does not depend on a variable, and the terms.
    """
    values = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        total, terms = loss()
    return tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO), terms


def _update_discriminator(state: TrainingState, weights: LossConfig, batch: Batch, style: tf.Tensor) -> Metrics:
    """Updates D on real images and on translations in the given styles."""
    terms = _update(state, ["discriminator"], lambda: discriminator_loss(state.networks, weights, batch, style))
    state.networks.discriminator.advance_spectral_norm()
    return terms


def _update(state: TrainingState, names: Sequence[str], loss: Callable[[], tuple[tf.Tensor, Metrics]]) -> Metrics:
    """Updates the named networks by one step down the gradient of a loss."""
    variables = [getattr(state.networks, name).trainable_variables for name in names]
    flat, terms = gradients(loss, [variable for group in variables for variable in group])
    # The optimizer sums over replicas; the loss of a batch is the mean over its parts.
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    if replicas > 1:
        flat = [gradient / replicas for gradient in flat]
    for name, group in zip(names, variables, strict=True):
        mine, flat = flat[: len(group)], flat[len(group) :]
        terms[f"grad_norm_{name}"] = tf.linalg.global_norm(mine)
        state.optimizers[name].apply(mine, group)
    return terms
