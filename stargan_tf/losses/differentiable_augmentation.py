"""Differentiable augmentation for training with few images (Zhao et al. 2020, arXiv 2006.10738).

Everything the discriminator sees is augmented, real images and translations alike, and gradients flow back through the
augmentation, so that the generator does not learn to draw it. The strengths are those of the paper (section 4,
"DiffAugment"). What lies outside of an image, or in the hole of a cutout, is zero, which is grey.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

# As fractions of the side.
_LARGEST_TRANSLATION = 1 / 8
_CUTOUT_SIDE = 1 / 2


def augment(images: tf.Tensor, kinds: Sequence[str], seed: tf.Tensor) -> tf.Tensor:
    """Augments every image of a batch, each by its own random choices.

    Args:
        images: [N, H, W, 3] in [-1, 1].
        kinds: any of "color", "translation" and "cutout"; none leaves the images as they are.
        seed: [2] integers; the same seed gives the same choices.

    Returns:
        [N, H, W, 3] of the same type; colours may leave [-1, 1]. May be differentiated twice.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), num=len(_KINDS)))
    for (kind, function), kind_seed in zip(_KINDS.items(), seeds, strict=True):  # always in the paper's order
        if kind in kinds:
            images = function(images, kind_seed)
    return images


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Adds a brightness of -0.5 to 0.5, multiplies the saturation by 0 to 2, then the contrast by 0.5 to 1.5."""
    numbers = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed)
    brightness, saturation, contrast = tf.unstack(tf.cast(numbers, images.dtype))
    images += brightness - 0.5
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * 2 * saturation
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (contrast + 0.5)


def _translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifts by up to an eighth of the side, in whole pixels, and fills with zero."""
    for axis, axis_seed in zip((1, 2), tf.unstack(tf.random.split(seed, num=2)), strict=True):
        side = images.shape[axis]
        most = round(side * _LARGEST_TRANSLATION)
        shifts = tf.random.stateless_uniform([tf.shape(images)[0], 1], axis_seed, -most, most + 1, tf.int32)
        origins = tf.range(side)[None] - shifts  # [N, side]
        inside = tf.cast((origins >= 0) & (origins < side), images.dtype)
        images = tf.gather(images, tf.clip_by_value(origins, 0, side - 1), axis=axis, batch_dims=1)
        images *= inside[:, :, None, None] if axis == 1 else inside[:, None, :, None]
    return images


def _cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Fills a rectangle of half the sides, whose centre is anywhere in the image, with zero."""
    inside = []
    for axis, axis_seed in zip((1, 2), tf.unstack(tf.random.split(seed, num=2)), strict=True):
        side = images.shape[axis]
        length = round(side * _CUTOUT_SIDE)
        centres = tf.random.stateless_uniform([tf.shape(images)[0], 1], axis_seed, 0, side + 1, tf.int32)
        starts = centres - length // 2
        positions = tf.range(side)[None]
        inside.append((positions >= starts) & (positions < starts + length))  # [N, side]
    hole = inside[0][:, :, None, None] & inside[1][:, None, :, None]
    return images * tf.cast(~hole, images.dtype)


_KINDS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "color": _color,
    "translation": _translation,
    "cutout": _cutout,
}
