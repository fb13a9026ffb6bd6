"""Colours to sRGB inside a TensorFlow graph, in the arithmetic of Little CMS for 8 bits, which Pillow uses.

Little CMS looks the light of each channel up, multiplies by a matrix, rounds to 14 bits, and looks the result up.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import ImageCms

from stargan_tf.serving.decoding.branches import rarely

_ONE = 2**14

# So many pixels at a time, which bounds the memory that large images take.
_PIXELS = 2**16


class Colours(NamedTuple):
    """What a file says of its colours."""

    refused: tf.Tensor  # It says more than the graph understands; scalar bool.
    converted: tf.Tensor  # Pixels are to be converted; scalar bool.
    light: tf.Tensor  # Of the values of red, of green and of blue, [3 * 256] float32; 2**14 is full light.
    matrix: tf.Tensor  # [3, 3] float32, from light of red, green and blue to that of sRGB's.


def no_conversion() -> Colours:
    """Of a file that has no profile."""
    return Colours(tf.constant(False), tf.constant(False), tf.zeros([3 * 256]), tf.zeros([3, 3]))


def to_light_of_srgb(light: tf.Tensor, primaries: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`Colours.light` and `Colours.matrix` of light [3, 256] float64 and primaries [3, 3] (a row X, Y, Z for each)."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).profile
    colorants = (srgb.red_colorant, srgb.green_colorant, srgb.blue_colorant)
    of_srgb = np.array([xyz for xyz, _ in filter(None, colorants)])
    matrix = tf.linalg.matmul(primaries, tf.constant(np.linalg.inv(of_srgb)))
    return tf.cast(tf.reshape(tf.floor(light * _ONE + 0.5), [-1]), tf.float32), tf.cast(matrix, tf.float32)


def convert(colours: tf.Tensor, light: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Converts [n, 3] uint8 by a light and a matrix as in `Colours`."""
    # What each value of each channel gives to the light of each of sRGB's.
    shares = tf.reshape(light, [3, 256, 1]) * matrix[:, tf.newaxis]
    every = tf.range(_ONE + 1, dtype=tf.float32) / _ONE
    encoded = tf.where(every <= 0.0031308, 12.92 * every, 1.055 * every ** (1 / 2.4) - 0.055)
    encoded = tf.cast(tf.floor(tf.clip_by_value(encoded, 0, 1) * 255 + 0.5), tf.uint8)

    def convert_block(block: tf.Tensor) -> tf.Tensor:
        values = tf.cast(block, tf.int32)
        lights = tf.add_n([tf.gather(shares[channel], values[:, channel]) for channel in range(3)])
        return tf.gather(encoded, tf.cast(tf.clip_by_value(tf.floor(lights + 0.5), 0, _ONE), tf.int32))

    count = tf.shape(colours)[0]
    size = tf.minimum(count, _PIXELS)
    blocks = tf.reshape(tf.pad(colours, [[0, -count % size], [0, 0]]), [-1, size, 3])
    return tf.reshape(tf.map_fn(convert_block, blocks, parallel_iterations=1), [-1, 3])[:count]


def to_srgb(pixels: tf.Tensor, colours: Colours) -> tf.Tensor:
    """Converts [height, width, 3] uint8, if the file says so."""
    return rarely(colours.converted, _to_srgb, lambda: pixels, (pixels, colours.light, colours.matrix))


@tf.function(autograph=False)
def _to_srgb(pixels: tf.Tensor, light: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """In exported models once, as it is a function of its own."""
    return tf.reshape(convert(tf.reshape(pixels, [-1, 3]), light, matrix), tf.shape(pixels))
