"""BMP files inside a TensorFlow graph."""

from functools import partial

import tensorflow as tf

from stargan_tf.serving.decoding.colours import on_white, palette_of
from stargan_tf.serving.decoding.file_bytes import bytes_at, fail_unless, little_endian
from stargan_tf.serving.decoding.limits import Bounded


def decode_bmp(encoded: tf.Tensor, bounded: Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes what begins as a BMP; returns pixels and an error as `Bounded`, or fails if it is damaged.

    Not by TensorFlow's decoder: that takes palette indices for grey, and compressed data for pixels.
    """
    head = bytes_at(encoded, 0, 70)

    def number(position: int, size: int) -> tf.Tensor:
        return little_endian(head[position : position + size])

    header_size = number(14, 4)
    old = header_size == 12
    bits = tf.where(old, number(24, 2), number(28, 2))
    compression = tf.where(~old, number(30, 4), 0)
    width = tf.where(old, number(18, 2), number(18, 4))
    from_top = ~old & (head[25] == 0xFF)
    height = tf.where(old, number(20, 2), tf.where(from_top, 2**32 - number(22, 4), number(22, 4)))
    colours = tf.where(~old, number(46, 4), 0)
    colours = tf.where(colours == 0, tf.bitwise.left_shift(tf.constant(1, tf.int64), bits & 31), colours)
    palette_end = 14 + header_size + tf.where(bits <= 8, tf.where(old, 3 * colours, 4 * colours), 0)
    start = number(10, 4)
    # Pillow mends offsets that forget the palette.
    start = tf.where((start == 0) | (start == 14 + header_size), palette_end, start)

    masked = compression == 3
    mask_values = tf.stack([number(54, 4), number(58, 4), number(62, 4)])
    alpha_mask = tf.where(masked & (header_size >= 56), number(66, 4), 0)

    def decode() -> tf.Tensor:
        # Rows are padded to 32 bits.
        row_size = (width * bits + 31) // 32 * 4
        rows = tf.strings.substr(encoded, start, row_size * height)
        rows = tf.reshape(tf.io.decode_raw(rows, tf.uint8), tf.stack([height, row_size]))
        rows = tf.cond(from_top, lambda: rows, lambda: tf.reverse(rows, [0]))
        return tf.ensure_shape(
            tf.case(
                [
                    (bits <= 8, partial(of_palette, rows)),
                    (bits == 16, partial(of_16_bits, rows)),
                    (bits == 24, partial(of_24_bits, rows)),
                ],
                default=partial(of_32_bits, rows),
            ),
            [None, None, 3],
        )

    def of_palette(rows: tf.Tensor) -> tf.Tensor:
        palette = tf.cond(
            old,
            lambda: palette_of(encoded, 14 + header_size, colours, 3),
            lambda: palette_of(encoded, 14 + header_size, colours, 4),
        )[:, ::-1]

        def unpack(depth: int) -> tf.Tensor:
            shifts = tf.constant([*range(8 - depth, -1, -depth)], tf.uint8)
            parts = tf.bitwise.right_shift(rows[..., tf.newaxis], shifts) & (2**depth - 1)
            return tf.reshape(parts, tf.stack([height, -1]))

        indices = tf.case([(bits == 1, lambda: unpack(1)), (bits == 4, lambda: unpack(4))], default=lambda: rows)
        return tf.gather(palette, tf.cast(indices[:, :width], tf.int32))

    def of_16_bits(rows: tf.Tensor) -> tf.Tensor:
        pairs = tf.cast(tf.reshape(rows, tf.stack([height, -1, 2]))[:, :width], tf.int32)
        values = pairs[..., 0] + 256 * pairs[..., 1]
        six_green = masked & tf.reduce_all(mask_values == [0xF800, 0x7E0, 0x1F])
        five_each = ~masked | tf.reduce_all(mask_values == [0x7C00, 0x3E0, 0x1F])
        green_max = tf.where(six_green, 63, 31)
        red_shift = tf.where(six_green, 11, 10)
        with tf.control_dependencies([fail_unless(six_green | five_each)]):
            red = tf.bitwise.right_shift(values, red_shift) & 31
        green, blue = tf.bitwise.right_shift(values, 5) & green_max, values & 31
        return tf.cast(tf.stack([red * 255 // 31, green * 255 // green_max, blue * 255 // 31], axis=-1), tf.uint8)

    def of_24_bits(rows: tf.Tensor) -> tf.Tensor:
        usual = ~masked | tf.reduce_all(mask_values == [0xFF0000, 0xFF00, 0xFF])
        with tf.control_dependencies([fail_unless(usual)]):
            return tf.reverse(tf.reshape(rows[:, : 3 * width], tf.stack([height, width, 3])), [2])

    def of_32_bits(rows: tf.Tensor) -> tf.Tensor:
        pixels = tf.reshape(rows, tf.stack([height, width, 4]))
        # Pillow takes masks of zeros for blue, green, red, alpha.
        no_masks = masked & (alpha_mask == 0) & tf.reduce_all(mask_values == 0)
        usual = ~masked | no_masks
        masks = tf.where(usual, tf.constant([0xFF0000, 0xFF00, 0xFF], tf.int64), mask_values)
        masks = tf.concat([masks, [tf.where(~no_masks, alpha_mask, 0xFF000000)]], axis=0)
        places = masks[:, tf.newaxis] == tf.constant([0xFF, 0xFF00, 0xFF0000, 0xFF000000], tf.int64)
        has_alpha = masks[3] != 0
        found = tf.reduce_any(places, axis=1)
        with tf.control_dependencies([fail_unless(tf.reduce_all(found[:3]) & (found[3] | ~has_alpha))]):
            places = tf.argmax(places, axis=1)
        return tf.cond(
            has_alpha,
            lambda: on_white(tf.gather(pixels, places, axis=2)),
            lambda: tf.gather(pixels, places[:3], axis=2),
        )

    known = tf.reduce_any(header_size == [12, 40, 52, 56, 64, 108, 124]) & tf.reduce_any(bits == [1, 4, 8, 16, 24, 32])
    known &= (compression == 0) | (masked & (bits >= 16))
    with tf.control_dependencies([fail_unless(known)]):
        return bounded(tf.identity(width), height, decode)
