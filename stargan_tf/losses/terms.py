"""Every term of the objective, in the order of the paper (section 2.2); each function returns a scalar."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf


class Adversarial(NamedTuple):
    """A form of the adversarial objective (equation 1), as losses of D's logits, [B]."""

    real: Callable[[tf.Tensor], tf.Tensor]  # pushes D to raise its logits on real images
    fake: Callable[[tf.Tensor], tf.Tensor]  # pushes D to lower its logits on translated images
    generator: Callable[[tf.Tensor], tf.Tensor]  # pushes G to draw what raises them


ADVERSARIAL = {
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


def style_reconstruction(style: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Pushes G to use the style: E must find it in the translated image (equation 2). Both are [B, style_dim]."""
    return tf.reduce_mean(tf.abs(found - style))


def style_diversification(fake: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Pushes G to draw different images in different styles (equation 3); the objective subtracts it.

    Args:
        fake: translated images, [B, H, W, 3].
        other: the same sources in another style, [B, H, W, 3]; no gradient flows through them.
    """
    return tf.reduce_mean(tf.abs(fake - tf.stop_gradient(other)))


def cycle_consistency(source: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """Pushes G to keep what is not style: translated back, the source must return (equation 4).

    Args:
        source: source images, [B, H, W, 3].
        reconstructed: their translations, translated back in the style of the sources, [B, H, W, 3].
    """
    return tf.reduce_mean(tf.abs(reconstructed - source))


def r1(discriminator: keras.Model, images: tf.Tensor, domain: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pushes D to be flat around real images (appendix B; arXiv 1801.04406).

    Args:
        discriminator: D.
        images: real images, [B, H, W, 3] in [-1, 1].
        domain: their domains, [B].

    Returns:
        D's logits on the images, [B], and half the squared norm of their gradient with respect to the image, averaged
        over the batch: in the type of the images, which is float32 in mixed precision too.
    """
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = discriminator(images, domain)  # [B]
        total = tf.reduce_sum(logits)
    gradient = tape.gradient(total, images)  # [B, H, W, 3]
    return logits, 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3)))
