"""What the updates minimize: the objectives of D and of G, F and E on one batch (paper, section 2.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import tensorflow as tf

from stargan_tf.config import LossConfig
from stargan_tf.losses import differentiable_augmentation
from stargan_tf.losses import terms as losses
from stargan_tf.networks import Networks
from stargan_tf.networks.generator import Features, Masks

Metrics = dict[str, tf.Tensor]

# The terms that the objectives report, by name.
DISCRIMINATOR_TERMS = ("total", "real", "fake", "reg", "logit_real", "logit_fake")
GENERATOR_TERMS = ("total", "adv", "sty", "ds", "cyc")


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
        seed: [2] integers, of the differentiable augmentation.
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
    seed: tf.Tensor | tuple[int, int] = (0, 0)


class Translation(NamedTuple):
    """Sources in a style of their target domains.

    Attributes:
        features: of the sources, as `Generator.encode` gives them; they do not depend on the style.
        style: style codes, [B, style_dim].
        image: the translated images, [B, H, W, 3].
    """

    features: Features
    style: tf.Tensor
    image: tf.Tensor


def latent_guided_translation(networks: Networks, batch: Batch) -> Translation:
    """Translates the sources in the styles of the first latent codes."""
    style = networks.mapping_network(batch.latent, batch.target_domain)
    features = networks.generator.encode(batch.source)
    return Translation(features, style, networks.generator.decode(features, style, batch.source_masks))


def reference_guided_translation(networks: Networks, batch: Batch, features: Features) -> Translation:
    """Translates the sources, encoded already, in the styles of the first references."""
    style = networks.style_encoder(batch.reference, batch.target_domain)
    return Translation(features, style, networks.generator.decode(features, style, batch.source_masks))


def discriminator_loss(
    networks: Networks, weights: LossConfig, batch: Batch, fake: tf.Tensor, reg_weight: float = 1.0
) -> tuple[tf.Tensor, Metrics]:
    """Computes D's loss.

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        fake: translations of the sources to the target domains, [B, H, W, 3]; no gradient flows into them.
        reg_weight: what R1 is multiplied by besides `lambda_reg`; with 0 it is not computed.

    Returns:
        The loss, and its terms by name before weighting by `lambda_reg`.
    """
    adversarial = losses.ADVERSARIAL[weights.adversarial]
    source = _seen_by_discriminator(batch.source, weights, batch, 0)
    if reg_weight:
        logits_real, reg = losses.r1(networks.discriminator, source, batch.source_domain)
        reg *= reg_weight
    else:
        logits_real = networks.discriminator(source, batch.source_domain)
        reg = tf.zeros((), logits_real.dtype)
    fake = _seen_by_discriminator(tf.stop_gradient(fake), weights, batch, 1)
    logits_fake = networks.discriminator(fake, batch.target_domain)

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
    networks: Networks, weights: LossConfig, batch: Batch, translation: Translation, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the loss of G, F and E on translations in styles of the mapping network.

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        translation: as from `latent_guided_translation`.
        lambda_ds: weight of the diversity term.

    Returns:
        The loss, and its terms by name before weighting.
    """
    other_style = networks.mapping_network(batch.latent_2, batch.target_domain)
    # The style of the translation and that of its source, in one batch.
    styles = networks.style_encoder(
        tf.concat([translation.image, batch.source], 0), tf.concat([batch.target_domain, batch.source_domain], 0)
    )
    found_style, source_style = tf.split(styles, 2)
    return _generator_loss(networks, weights, batch, translation, other_style, found_style, source_style, lambda_ds)


def reference_guided_loss(
    networks: Networks, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the loss of G on translations in styles of references; E is not moved by it, and neither is F.

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        lambda_ds: weight of the diversity term.

    Returns:
        The loss, and its terms by name before weighting.
    """
    # Nothing of these three needs a gradient, so they make a batch of their own.
    target, source = batch.target_domain, batch.source_domain
    styles = networks.style_encoder(
        tf.concat([batch.reference, batch.reference_2, batch.source], 0), tf.concat([target, target, source], 0)
    )
    style, other_style, source_style = tf.split(styles, 3)
    features = networks.generator.encode(batch.source)
    image = networks.generator.decode(features, style, batch.source_masks)
    translation = Translation(features, style, image)
    found_style = networks.style_encoder(image, target)
    return _generator_loss(networks, weights, batch, translation, other_style, found_style, source_style, lambda_ds)


def _generator_loss(
    networks: Networks,
    weights: LossConfig,
    batch: Batch,
    translation: Translation,
    other_style: tf.Tensor,
    found_style: tf.Tensor,
    source_style: tf.Tensor,
    lambda_ds: tf.Tensor,
) -> tuple[tf.Tensor, Metrics]:
    """Computes the generator's full objective (equation 5).

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        translation: the sources in the styles to be learnt.
        other_style: other styles, for the diversity term, [B, style_dim].
        found_style: what E finds in the translation.
        source_style: what E finds in the sources.
        lambda_ds: weight of the diversity term.

    Returns:
        The loss, and its terms by name before weighting.
    """
    generator, fake = networks.generator, translation.image

    # The translation must look like an image of the target domain ...
    logits = networks.discriminator(_seen_by_discriminator(fake, weights, batch, 2), batch.target_domain)
    adv = losses.ADVERSARIAL[weights.adversarial].generator(logits)

    # ... show the style it was given ...
    sty = losses.style_reconstruction(translation.style, found_style)

    # ... differ from the translation in another style ...
    other = generator.decode(translation.features, tf.stop_gradient(other_style), batch.source_masks)
    ds = losses.style_diversification(fake, other)

    # ... and lead back to the source.
    reconstructed = generator(fake, source_style, batch.find_masks(fake))
    cyc = losses.cycle_consistency(batch.source, reconstructed)

    total = adv + weights.lambda_sty * sty - lambda_ds * ds + weights.lambda_cyc * cyc
    return total, {"total": total, "adv": adv, "sty": sty, "ds": ds, "cyc": cyc}


def _seen_by_discriminator(images: tf.Tensor, weights: LossConfig, batch: Batch, use: int) -> tf.Tensor:
    """Augments images if the configuration says so, with other choices for every use."""
    if not weights.differentiable_augmentation:
        return images
    seed = tf.random.fold_in(tf.cast(batch.seed, tf.int64), use)
    return differentiable_augmentation.augment(images, weights.differentiable_augmentation, seed)


def gradients(
    loss: Callable[[], tuple[tf.Tensor, Metrics]], variables: Sequence[keras.Variable], jit_compile: bool = False
) -> tuple[list[tf.Tensor], Metrics]:
    """Computes gradients with respect to these variables and no others.

    Args:
        loss: computes the loss and its terms.
        variables: what the update moves.
        jit_compile: whether XLA compiles all of it.

    Returns:
        The gradients, zero where the loss does not depend on a variable, and the terms.
    """

    def compute() -> tuple[list[tf.Tensor], Metrics]:
        values = [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            total, terms = loss()
        return tape.gradient(total, values, unconnected_gradients=tf.UnconnectedGradients.ZERO), terms

    return tf.function(compute, autograph=False, jit_compile=True)() if jit_compile else compute()
