"""Every term of the objective, in the order of the paper (section 2.2)."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Adversarial:
    """One form of the adversarial game: what D pays for a logit on a real and on a fake image, and what G pays."""

    real: Callable[[tf.Tensor], tf.Tensor]
    fake: Callable[[tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]


ADVERSARIAL: dict[str, Adversarial] = {
    # The paper's: binary cross-entropy, with the non-saturating form for the generator (arXiv 1406.2661, section 3).
    "logistic": Adversarial(
        real=lambda logits: tf.reduce_mean(tf.nn.softplus(-logits)),
        fake=lambda logits: tf.reduce_mean(tf.nn.softplus(logits)),
        generator=lambda logits: tf.reduce_mean(tf.nn.softplus(-logits)),
    ),
    # arXiv 1611.04076, equation 9.
    "least_squares": Adversarial(
        real=lambda logits: 0.5 * tf.reduce_mean(tf.square(logits - 1.0)),
        fake=lambda logits: 0.5 * tf.reduce_mean(tf.square(logits)),
        generator=lambda logits: 0.5 * tf.reduce_mean(tf.square(logits - 1.0)),
    ),
    # arXiv 1705.02894, section 3.
    "hinge": Adversarial(
        real=lambda logits: tf.reduce_mean(tf.nn.relu(1.0 - logits)),
        fake=lambda logits: tf.reduce_mean(tf.nn.relu(1.0 + logits)),
        generator=lambda logits: -tf.reduce_mean(logits),
    ),
}


def r1(discriminator: keras.Model, images: tf.Tensor, domain: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pushes D to be flat around real images (arXiv 1801.04406; R1 in appendix B of the paper).

    Args:
        discriminator: D.
        images: real images, [B, H, W, 3] in [-1, 1].
        domain: their domains, [B].

    Returns:
        D's logits on the images, [B], and half the squared norm of their gradient with respect to the image, averaged
        over the batch, in the precision of the images, which is float32 in mixed precision too.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = discriminator(images, domain)
        total = tf.reduce_sum(logits)
    gradient = tape.gradient(total, images)
    return logits, 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)))


def style_reconstruction(style: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Pushes G to use the style: E must find it in the translated image (equation 2).

    Args:
        style: the style codes given to G, [B, style_dim].
        predicted: what E sees in the translated images, [B, style_dim].

    Returns:
        The mean absolute difference.
    """
    return tf.reduce_mean(tf.abs(predicted - style))


def style_diversification(fake: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Pushes G to draw different images for different styles (equation 3); it is subtracted from the objective.

    Args:
        fake: translated images, [B, H, W, 3].
        other: the same sources in another style, [B, H, W, 3]; no gradient flows through them.

    Returns:
        The mean absolute difference.
    """
    return tf.reduce_mean(tf.abs(fake - tf.stop_gradient(other)))


def cycle_consistency(images: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Pushes G to keep what is not style: translated back, the source must return (equation 4).

    Args:
        images: source images, [B, H, W, 3].
        reconstructed: the translated images in the style of their sources, [B, H, W, 3].

    Returns:
        The mean absolute difference.
    """
    return tf.reduce_mean(tf.abs(reconstructed - images))
