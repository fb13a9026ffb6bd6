"""PNG files inside a TensorFlow graph."""

from collections.abc import Callable

import tensorflow as tf

from stargan_tf.config.images import Colour
from stargan_tf.serving.decoding import icc
from stargan_tf.serving.decoding.colour import to_srgb
from stargan_tf.serving.decoding.exif import orientation, upright
from stargan_tf.serving.decoding.file_bytes import big_endian, bytes_at, fail_unless, length
from stargan_tf.serving.decoding.limits import MAX_STEPS, Bounded

_BIT_DEPTH = 24  # Signature 8, chunk length 4, chunk type 4, width 4, height 4.


def decode_png(encoded: tf.Tensor, bounded: Bounded, background: Colour) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes what begins as a PNG; returns pixels and an error as `Bounded`, or fails if it is damaged."""
    header = bytes_at(encoded, 8, 18)
    width, height, colour_type = big_endian(header[8:12]), big_endian(header[12:16]), header[17]
    end = length(encoded)

    def walk(step, position, transparent, exif, profile, done):
        head = bytes_at(encoded, position, 8)

        def is_chunk(chunk: bytes) -> tf.Tensor:
            return tf.reduce_all(head[4:] == [*chunk])

        return (
            step + 1,
            position + 12 + big_endian(head[:4]),
            transparent | is_chunk(b"tRNS"),
            tf.where(is_chunk(b"eXIf"), position, exif),
            tf.where(is_chunk(b"iCCP"), position, profile),
            is_chunk(b"IEND"),
        )

    none = tf.constant(-1, tf.int64)
    _, _, transparent, exif, profile, _ = tf.while_loop(
        lambda step, position, transparent, exif, profile, done: ~done & (step < MAX_STEPS) & (position < end),
        walk,
        (0, tf.constant(8, tf.int64), False, none, none, False),
    )
    channels = tf.where((colour_type == 0) | (colour_type == 4), tf.constant(1, tf.int64), 3)
    colours = icc.of_png(encoded, profile, channels)

    def decode_transparent() -> tf.Tensor:
        pixels = tf.io.decode_png(encoded, channels=4)
        return on_background(to_srgb(pixels[..., :3], colours), pixels[..., 3:], background)

    def decode() -> tf.Tensor:
        # Only where there is transparency, to keep the other images small.
        pixels = tf.cond(
            transparent | (colour_type == 4) | (colour_type == 6),
            decode_transparent,
            lambda: to_srgb(tf.io.decode_png(encoded, channels=3), colours),
        )
        exif_size = tf.where(exif >= 0, big_endian(bytes_at(encoded, tf.maximum(exif, 0), 4)), 0)
        return upright(pixels, orientation(encoded, tf.maximum(exif, 0) + 8, exif_size))

    with tf.control_dependencies([fail_unless(tf.reduce_all(header[4:8] == [*b"IHDR"]))]):
        return bounded(tf.identity(width), height, colours, decode)


def refuse_deep(
    encoded: tf.Tensor, decode: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]], name: tf.Tensor | str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes as `decode` does, or refuses a file of 16 bits, where the model gives their values another meaning."""
    client = "stargan_tf.serving.client sends such images with 8 bits"
    sentence = tf.strings.join([name, f" has 16 bits, of which this model does not take the full range; {client}"])
    return tf.cond(
        tf.equal(bytes_at(encoded, _BIT_DEPTH, 1)[0], 16),
        lambda: (tf.zeros([0, 0, 3], tf.uint8), sentence),
        lambda: decode(encoded),
    )


def on_background(pixels: tf.Tensor, alpha: tf.Tensor, background: Colour) -> tf.Tensor:
    """[height, width, 3] uint8, of which alpha [height, width, 1] is seen, rounded as Pillow's `alpha_composite`."""
    colour, alpha = tf.cast(pixels, tf.uint16), tf.cast(alpha, tf.uint16)
    # At most 255 * 255 + 128, which 16 bits hold; the second line divides it by 255.
    mixed = colour * alpha + (255 - alpha) * tf.constant(background, tf.uint16) + 128
    return tf.cast(tf.bitwise.right_shift(mixed + tf.bitwise.right_shift(mixed, 8), 8), tf.uint8)
