"""JPEG files inside a TensorFlow graph."""

import tensorflow as tf

from stargan_tf.serving.decoding import icc
from stargan_tf.serving.decoding.colour import to_srgb
from stargan_tf.serving.decoding.exif import orientation, upright
from stargan_tf.serving.decoding.file_bytes import big_endian, bytes_at, fail_unless, length
from stargan_tf.serving.decoding.limits import MAX_STEPS, Bounded

# A progressive JPEG may have any number of scans, each of which costs a pass over all pixels and next to no bytes.
_MAX_JPEG_SCANS = 500

# As they are numbered by a byte.
_MAX_PROFILE_SEGMENTS = 255


def decode_jpeg(encoded: tf.Tensor, bounded: Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes what begins as a JPEG; returns pixels and an error as `Bounded`, or fails if it is damaged."""
    end = length(encoded)

    def walk(step, position, exif, frame, profile, done):
        head = bytes_at(encoded, position, 16)
        marker, size = head[1], big_endian(head[2:4])
        # libjpeg skips bytes that are no marker; 0xFF may be repeated before one, and 0xFF00 is none.
        no_marker = (head[0] != 0xFF) | (marker == 0xFF) | (marker == 0)
        alone = (marker == 0x01) | ((marker >= 0xD0) & (marker <= 0xD9))
        is_exif = ~no_marker & (marker == 0xE1) & tf.reduce_all(head[4:10] == [*b"Exif\0\0"])
        is_profile = ~no_marker & (marker == 0xE2) & tf.reduce_all(head[4:] == [*b"ICC_PROFILE\0"])
        # As Pillow reads them: those before the frame. One more than there may be tells that there are too many.
        is_profile &= (frame < 0) & (tf.size(profile) <= _MAX_PROFILE_SEGMENTS)
        # Of 0xC0 ... 0xCF three are no frames: tables, an extension, arithmetic conditioning.
        is_frame = ~no_marker & (marker & 0xF0 == 0xC0) & tf.reduce_all(marker != [0xC4, 0xC8, 0xCC])
        advance = tf.where(
            no_marker, tf.constant(1, tf.int64), tf.where(alone, tf.constant(2, tf.int64), tf.maximum(size, 2) + 2)
        )
        return (
            step + 1,
            position + advance,
            tf.where(is_exif & (exif < 0), position, exif),
            tf.where(is_frame & (frame < 0), position, frame),
            tf.cond(is_profile, lambda: tf.concat([profile, [position]], axis=0), lambda: profile),
            ~no_marker & ((marker == 0xDA) | (marker == 0xD9)),  # The pixels, or the end.
        )

    none = tf.constant(-1, tf.int64)
    scalar = tf.TensorShape([])
    _, _, exif, frame, profile, _ = tf.while_loop(
        lambda step, position, exif, frame, profile, done: ~done & (step < MAX_STEPS) & (position < end),
        walk,
        (0, tf.constant(2, tf.int64), none, none, tf.zeros([0], tf.int64), False),
        shape_invariants=(scalar, scalar, scalar, scalar, tf.TensorShape([None]), scalar),
    )
    size = bytes_at(encoded, tf.maximum(frame, 0) + 5, 5)
    height, width, channels = big_endian(size[:2]), big_endian(size[2:4]), size[4]
    colours = icc.of_jpeg(encoded, profile, channels)

    def decode() -> tf.Tensor:
        values = tf.io.decode_raw(encoded, tf.uint8)
        scans = tf.math.count_nonzero((values[:-1] == 0xFF) & (values[1:] == 0xDA))
        announced = tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64)
        # The decoder must have found the size that was compared with the limit.
        same = (announced[0] == height) & (announced[1] == width)
        with tf.control_dependencies([fail_unless(same & (scans <= _MAX_JPEG_SCANS))]):
            # As Pillow has it: the accurate transform, and the triangle filter for colour.
            pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)
        # Without the size itself and "Exif\0\0".
        exif_size = big_endian(bytes_at(encoded, tf.maximum(exif, 0) + 2, 2)) - 8
        found = (exif >= 0) & (exif_size > 0)
        return upright(
            to_srgb(pixels, colours), orientation(encoded, tf.maximum(exif, 0) + 10, tf.where(found, exif_size, 0))
        )

    with tf.control_dependencies([fail_unless(frame >= 0)]):
        return bounded(tf.identity(width), height, colours, decode)
