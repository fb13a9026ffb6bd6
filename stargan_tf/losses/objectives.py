"""The objectives made of the terms: D's, and that of G, F and E, on one batch (paper, end of section 2.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from stargan_tf.config import LossConfig
from stargan_tf.losses import differentiable_augmentation, terms
from stargan_tf.networks import Networks
from stargan_tf.networks.generator import Features, Masks

Metrics = dict[str, tf.Tensor]

# The terms that the objectives report, by name.
DISCRIMINATOR_TERMS = ("total", "real", "fake", "reg", "logit_real", "logit_fake")
GENERATOR_TERMS = ("total", "adv", "sty", "ds", "cyc")


@dataclass(frozen=True)
class Batch:
    """What one iteration sees of one replica's share of the data."""

    source: tf.Tensor  # real images to translate, [B, H, W, 3] in [-1, 1]
    source_domain: tf.Tensor  # their domains, [B]
    reference: tf.Tensor  # an image of each target domain, [B, H, W, 3]
    reference_2: tf.Tensor  # another one of the same domain
    target_domain: tf.Tensor  # the domains to translate to, [B]
    latent: tf.Tensor  # latent codes, [B, latent_dim]
    latent_2: tf.Tensor  # other ones
    source_masks: Masks | None = None  # masks of the sources for the high-pass skip; without them it carries nothing
    find_masks: Callable[[tf.Tensor], Masks | None] = lambda images: None  # computes the masks of other images
    seed: tf.Tensor | tuple[int, int] = (0, 0)  # [2] integers, of the differentiable augmentation


class Translation(NamedTuple):
    """The sources in a style of their target domains."""

    features: Features  # of the sources, as `Generator.encode` gives them; they do not depend on the style
    style: tf.Tensor  # style codes, [B, style_dim]
    image: tf.Tensor  # the translated images, [B, H, W, 3]


class Styles(NamedTuple):
    """Style codes that the objective needs besides those of a translation, each [B, style_dim]."""

    other: tf.Tensor  # other styles of the target domains, for the diversity term
    found: tf.Tensor  # what E finds in the translation
    source: tf.Tensor  # what E finds in the sources


def latent_guided_translation(networks: Networks, batch: Batch) -> Translation:
    """Translates the sources in the styles that F draws from the first latent codes."""
    style = networks.mapping_network(batch.latent, batch.target_domain)  # [B, style_dim]
    features = networks.generator.encode(batch.source)
    return Translation(features, style, networks.generator.decode(features, style, batch.source_masks))


def reference_guided_translation(networks: Networks, batch: Batch, features: Features | None = None) -> Translation:
    """Translates the sources, unless `features` has them encoded already, in the styles that E finds in references."""
    features = networks.generator.encode(batch.source) if features is None else features
    style = networks.style_encoder(batch.reference, batch.target_domain)  # [B, style_dim]
    return Translation(features, style, networks.generator.decode(features, style, batch.source_masks))


def discriminator_loss(
    networks: Networks, weights: LossConfig, batch: Batch, fake: tf.Tensor, reg_weight: float = 1.0
) -> tuple[tf.Tensor, Metrics]:
    """Computes D's loss: it tells real images of the source domains from translations to the target domains.

    Args:
        networks: the networks.
        weights: the weights of the terms.
        batch: the data.
        fake: translations of the sources to the target domains, [B, H, W, 3]; no gradient flows into them.
        reg_weight: factor of R1 besides `lambda_reg`; with 0 it is not computed.

    Returns:
        The loss, and its terms by name before weighting by `lambda_reg`.
    """
    discriminator, adversarial = networks.discriminator, terms.ADVERSARIAL[weights.adversarial]
    assert discriminator is not None
    source = _augment(batch.source, weights, batch, use=0)
    if reg_weight:
        logits_real, reg = terms.r1(discriminator, source, batch.source_domain)
        reg *= reg_weight
    else:
        logits_real = discriminator(source, batch.source_domain)  # [B]
        reg = tf.zeros((), logits_real.dtype)
    logits_fake = discriminator(_augment(tf.stop_gradient(fake), weights, batch, use=1), batch.target_domain)  # [B]

    real, generated = adversarial.real(logits_real), adversarial.fake(logits_fake)
    total = real + generated + weights.lambda_reg * reg
    means = {"logit_real": tf.reduce_mean(logits_real), "logit_fake": tf.reduce_mean(logits_fake)}
    return total, {"total": total, "real": real, "fake": generated, "reg": reg} | means


def latent_guided_loss(
    networks: Networks, weights: LossConfig, batch: Batch, translation: Translation, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the loss of G, F and E on `latent_guided_translation` (equation 5); see `_generator_loss`."""
    other = networks.mapping_network(batch.latent_2, batch.target_domain)
    # E sees the translation and its source in one batch.
    images = tf.concat([translation.image, batch.source], 0)  # [2 B, H, W, 3]
    domains = tf.concat([batch.target_domain, batch.source_domain], 0)
    found, source = tf.split(networks.style_encoder(images, domains), 2)
    return _generator_loss(networks, weights, batch, translation, Styles(other, found, source), lambda_ds)


def reference_guided_loss(
    networks: Networks, weights: LossConfig, batch: Batch, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the loss of G, which alone it moves, on translations in styles of references (end of section 2.2)."""
    # E sees three images that need no gradient, in one batch.
    images = tf.concat([batch.reference, batch.reference_2, batch.source], 0)  # [3 B, H, W, 3]
    domains = tf.concat([batch.target_domain, batch.target_domain, batch.source_domain], 0)
    style, other, source = tf.split(networks.style_encoder(images, domains), 3)
    features = networks.generator.encode(batch.source)
    translation = Translation(features, style, networks.generator.decode(features, style, batch.source_masks))
    found = networks.style_encoder(translation.image, batch.target_domain)
    return _generator_loss(networks, weights, batch, translation, Styles(other, found, source), lambda_ds)


def _generator_loss(
    nets: Networks, weights: LossConfig, batch: Batch, translation: Translation, styles: Styles, lambda_ds: tf.Tensor
) -> tuple[tf.Tensor, Metrics]:
    """Computes the full objective (equation 5).

    Args:
        nets: the networks.
        weights: the weights of the terms, but for that of the diversity term.
        batch: the data.
        translation: the sources in the styles to be learnt.
        styles: the other styles that the terms need.
        lambda_ds: weight of the diversity term, which falls in the course of training.

    Returns:
        The loss, and its terms by name before weighting.
    """
    generator, discriminator, fake = nets.generator, nets.discriminator, translation.image
    assert discriminator is not None

    # The translation must look like an image of the target domain ...
    logits = discriminator(_augment(fake, weights, batch, use=2), batch.target_domain)
    adv = terms.ADVERSARIAL[weights.adversarial].generator(logits)

    # ... show the style it was given ...
    sty = terms.style_reconstruction(translation.style, styles.found)

    # ... differ from the translation in another style ...
    other = generator.decode(translation.features, tf.stop_gradient(styles.other), batch.source_masks)
    ds = terms.style_diversification(fake, other)

    # ... and lead back to the source.
    reconstructed = generator(fake, styles.source, batch.find_masks(fake))
    cyc = terms.cycle_consistency(batch.source, reconstructed)

    total = adv + weights.lambda_sty * sty - lambda_ds * ds + weights.lambda_cyc * cyc
    return total, {"total": total, "adv": adv, "sty": sty, "ds": ds, "cyc": cyc}


def _augment(images: tf.Tensor, weights: LossConfig, batch: Batch, use: int) -> tf.Tensor:
    """Augments what D sees, if the configuration says so, by other choices for every use."""
    if not weights.differentiable_augmentation:
        return images
    seed = tf.random.fold_in(tf.cast(batch.seed, tf.int64), use)
    return differentiable_augmentation.augment(images, weights.differentiable_augmentation, seed)
