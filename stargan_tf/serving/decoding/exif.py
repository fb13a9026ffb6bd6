"""The orientation in EXIF, inside a TensorFlow graph."""

import tensorflow as tf

from stargan_tf.serving.decoding.file_bytes import big_endian, bytes_at, length, little_endian


def orientation(encoded: tf.Tensor, position: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Orientation in an EXIF block, which is a TIFF header and its first directory; 1 if there is none."""
    exif = tf.strings.substr(encoded, tf.minimum(position, length(encoded)), size)
    # Some programs write the marker twice; a PNG should have none.
    exif = tf.strings.regex_replace(exif, r"^(Exif\x00\x00)+", "")
    head = bytes_at(exif, 0, 8)
    little = tf.reduce_all(head[:4] == [*b"II*\0"])
    known = little | tf.reduce_all(head[:4] == [*b"MM\0*"])

    def number(values: tf.Tensor) -> tf.Tensor:
        return tf.where(little, little_endian(values), big_endian(values))

    directory = number(head[4:])
    entries = bytes_at(exif, directory + 2, 12 * 256)
    entries = tf.reshape(entries, [256, 12])[: number(bytes_at(exif, directory, 2))]
    short, long = number(entries[:, 8:10]), number(entries[:, 8:12])
    kind = number(entries[:, 2:4])
    value = tf.where(kind == 3, short, long)
    is_orientation = (number(entries[:, :2]) == 0x0112) & (number(entries[:, 4:8]) == 1) & ((kind == 3) | (kind == 4))
    values = tf.concat([tf.ones([1], tf.int64), tf.boolean_mask(value, is_orientation)], axis=0)
    return tf.where(known & (values[-1] >= 1) & (values[-1] <= 8), values[-1], 1)


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors [height, width, 3] as an orientation from 1 to 8 says."""
    transposed = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    vertical = tf.reduce_any(orientation == [3, 4, 7, 8])
    horizontal = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.reverse(transposed, tf.boolean_mask([0, 1], tf.stack([vertical, horizontal])))
