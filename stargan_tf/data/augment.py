"""The published augmentation: sometimes a random crop, sometimes a mirror image; both are one box per image.

A box is [top, left, bottom, right] as `tf.image.crop_and_resize` takes it: 0 and 1 are the centres of the first and the
last pixel, and a box whose left exceeds its right mirrors. Reading an image through [0, 0, 1, 1] gives exactly its
pixels.
"""

import tensorflow as tf

from stargan_tf.config import DataConfig

# As in torchvision's RandomResizedCrop: a crop that is not within the image is drawn again, up to so many times.
_ATTEMPTS = 10

# A box that touches the edge may read beyond it by a rounding error, where crop_and_resize sees black.
_EDGE = 1e-5


def random_boxes(count: int | tf.Tensor, config: DataConfig, seed: tf.Tensor) -> tf.Tensor:
    """Draws crops and mirrorings.

    Args:
        count: number of images.
        config: probabilities and ranges.
        seed: [2] integers; the same seed gives the same boxes.

    Returns:
        [count, 4] float32, top, left, bottom and right of what is to be seen of each image.
    """
    seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), num=6))
    shape = [count, _ATTEMPTS]
    area = tf.random.stateless_uniform(shape, seeds[0], *config.crop_area)
    ratio = tf.exp(tf.random.stateless_uniform(shape, seeds[1], *tf.unstack(tf.math.log(config.crop_ratio))))
    sides = tf.stack([tf.sqrt(area / ratio), tf.sqrt(area * ratio)], axis=-1)  # [count, attempts, (height, width)]
    fits = tf.reduce_all(sides <= 1, axis=-1)
    sides = tf.gather(sides, tf.argmax(fits, axis=1), axis=1, batch_dims=1)  # [count, 2], the first that fits
    cropped = tf.random.stateless_uniform([count], seeds[2]) < config.crop_probability
    cropped = (cropped & tf.reduce_any(fits, axis=1))[:, None]
    start = tf.random.stateless_uniform([count, 2], seeds[3]) * (1 - sides)
    start, end = tf.clip_by_value(start, _EDGE, 1 - _EDGE), tf.clip_by_value(start + sides, _EDGE, 1 - _EDGE)
    top, left = tf.unstack(tf.where(cropped, start, 0.0), axis=1)
    bottom, right = tf.unstack(tf.where(cropped, end, 1.0), axis=1)
    mirrored = tf.random.stateless_uniform([count], seeds[4]) < config.flip_probability
    left, right = tf.where(mirrored, right, left), tf.where(mirrored, left, right)
    return tf.stack([top, left, bottom, right], axis=1)


def read_boxes(images: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Shows what is inside the boxes, at the size of the images.

    Args:
        images: [N, height, width, 3] uint8.
        boxes: [N, 4], as from `random_boxes`.

    Returns:
        [N, height, width, 3] float32 in [-1, 1], bilinearly interpolated.
    """
    height, width = images.shape[1:3]
    seen = tf.image.crop_and_resize(images, boxes, tf.range(tf.shape(images)[0]), (height, width))
    return scale(seen)


def scale(pixels: tf.Tensor) -> tf.Tensor:
    """Scales pixels to what the networks take, as `images.to_array` does.

    Args:
        pixels: values from 0 to 255, of any type.

    Returns:
        float32 in [-1, 1].
    """
    return tf.cast(pixels, tf.float32) * (1 / 127.5) - 1.0
