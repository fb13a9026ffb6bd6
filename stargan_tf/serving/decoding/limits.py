"""What a hostile file is bounded by."""

from collections.abc import Callable

import tensorflow as tf

# Bounds of the loops over the parts of a file, which a hostile file may have millions of. What a real program cuts into
# as many parts has tens of megabytes.
MAX_STEPS = 10_000

# Decodes a file whose pixels are few enough. Takes width, height (int64), and what decodes it to [height, width, 3]
# uint8; gives these pixels (none if it was refused) and the sentence that refuses it (else "").
Bounded = Callable[[tf.Tensor, tf.Tensor, Callable[[], tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]


def within(
    width: tf.Tensor, height: tf.Tensor, decode: Callable[[], tf.Tensor], max_pixels: int, name: tf.Tensor | str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes, or refuses for the number of pixels; fails if there are none."""

    def refuse() -> tuple[tf.Tensor, tf.Tensor]:
        size = (tf.strings.as_string(width), " x ", tf.strings.as_string(height))
        sentence = tf.strings.join([name, " announces ", *size, f" pixels; at most {max_pixels} pixels are taken"])
        return tf.zeros([0, 0, 3], tf.uint8), sentence

    with tf.control_dependencies([tf.debugging.assert_positive(width), tf.debugging.assert_positive(height)]):
        # Not a product: two numbers of 32 bits would overflow it.
        too_many = width > max_pixels // height
    return tf.cond(too_many, refuse, lambda: (decode(), tf.constant("")))
