"""Bytes of a file, and numbers made of them, inside a TensorFlow graph."""

import tensorflow as tf


def length(encoded: tf.Tensor) -> tf.Tensor:
    """Number of bytes, int64."""
    return tf.cast(tf.strings.length(encoded), tf.int64)


def bytes_at(encoded: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Bytes from a position on, [count] int64; zeros where there are none."""
    position = tf.minimum(tf.cast(position, tf.int64), length(encoded))
    part = tf.strings.substr(encoded, position, tf.constant(count, tf.int64))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def little_endian(values: tf.Tensor) -> tf.Tensor:
    """Numbers of bytes along the last axis, the lowest first, int64."""
    return tf.reduce_sum(values * [256**place for place in range(values.shape[-1])], axis=-1)


def big_endian(values: tf.Tensor) -> tf.Tensor:
    """Numbers of bytes along the last axis, the highest first, int64."""
    return little_endian(tf.reverse(values, [-1]))


def fail_unless(condition: tf.Tensor) -> tf.Operation:
    """Fails unless the condition holds; `images.decode_images` turns any failure into a sentence."""
    return tf.debugging.Assert(condition, ["damaged"])
