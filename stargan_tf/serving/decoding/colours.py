"""Transparency and palettes, inside a TensorFlow graph."""

import tensorflow as tf

from stargan_tf.serving.decoding.file_bytes import bytes_at


def on_white(pixels: tf.Tensor) -> tf.Tensor:
    """[height, width, 4] uint8 to [height, width, 3], by the rounding of Pillow's `alpha_composite`."""
    colour, alpha = tf.cast(pixels[..., :3], tf.uint16), tf.cast(pixels[..., 3:], tf.uint16)
    # At most 255 * 255 + 128, which 16 bits hold; the second line divides it by 255.
    mixed = colour * alpha + (255 - alpha) * 255 + 128
    return tf.cast(tf.bitwise.right_shift(mixed + tf.bitwise.right_shift(mixed, 8), 8), tf.uint8)


def palette_of(encoded: tf.Tensor, position: tf.Tensor, size: tf.Tensor, stride: int) -> tf.Tensor:
    """[256, 3] uint8: the colours of a palette, the shades of grey if it has none, black after its end."""
    colours = tf.reshape(bytes_at(encoded, position, 256 * stride), [256, stride])[:, :3]
    index = tf.range(256, dtype=tf.int64)[:, tf.newaxis]
    return tf.cast(tf.where(size == 0, index, tf.where(index < size, colours, 0)), tf.uint8)
