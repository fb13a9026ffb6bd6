"""Bounds on what a hostile file can cost."""

from collections.abc import Callable

import tensorflow as tf

from stargan_tf.serving.decoding.colour import Colours

# Most steps of a loop over the parts of a file, of which a hostile file may have millions. A file that a real program
# cuts into so many parts has tens of megabytes.
MAX_STEPS = 10_000

# Decodes a file unless it has too many pixels, or colours that the graph does not understand. Takes width and height
# (int64), what the file says of its colours, and a function that decodes it to [height, width, 3] uint8; returns the
# pixels (empty if refused) and the refusal (else "").
Bounded = Callable[[tf.Tensor, tf.Tensor, Colours, Callable[[], tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]

_OTHER_COLOURS = " has an ICC profile that is not one of RGB by a matrix and curves"


def within(
    width: tf.Tensor,
    height: tf.Tensor,
    colours: Colours,
    decode: Callable[[], tf.Tensor],
    max_pixels: int,
    name: tf.Tensor | str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes, or refuses because of the number of pixels or their colours; fails if there are none. See `Bounded`."""

    def refuse() -> tuple[tf.Tensor, tf.Tensor]:
        size = (tf.strings.as_string(width), " x ", tf.strings.as_string(height))
        large = tf.strings.join([name, " announces ", *size, f" pixels; at most {max_pixels} pixels are taken"])
        other = tf.strings.join([name, f"{_OTHER_COLOURS}; stargan_tf.serving.client converts such images to sRGB"])
        return tf.zeros([0, 0, 3], tf.uint8), tf.where(too_many, large, other)

    with tf.control_dependencies([tf.debugging.assert_positive(width), tf.debugging.assert_positive(height)]):
        # Not a product: two numbers of 32 bits would overflow it.
        too_many = width > max_pixels // height
    return tf.cond(too_many | colours.refused, refuse, lambda: (decode(), tf.constant("")))
