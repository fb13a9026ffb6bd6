"""GIF files inside a TensorFlow graph."""

import tensorflow as tf

from stargan_tf.serving.decoding.colours import palette_of
from stargan_tf.serving.decoding.file_bytes import bytes_at, fail_unless, little_endian
from stargan_tf.serving.decoding.limits import MAX_STEPS, Bounded

# Sub-blocks of a GIF that one step of the loop looks at.
_GIF_WINDOW = 4096


def decode_gif(encoded: tf.Tensor, bounded: Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes what begins as a GIF; returns pixels and an error as `Bounded`, or fails if it is damaged.

    TensorFlow's decoder holds all frames of an animation in memory, so it gets a file with the first frame alone. That
    file has a palette in which every index is its own grey: so the decoder gives indices, and the transparent one can
    be told from others of its colour.
    """
    header = bytes_at(encoded, 6, 7)
    has_palette, palette_size = _gif_palette(header[4])
    first_block = 13 + tf.where(has_palette, 3 * palette_size, 0)
    values = tf.io.decode_raw(encoded, tf.uint8)
    frame, transparent = _gif_first_frame(encoded, values, first_block)

    descriptor = bytes_at(encoded, frame, 10)
    left, top, frame_width, frame_height = tf.unstack(little_endian(tf.reshape(descriptor[1:9], [4, 2])))
    # Pillow lets a frame that is larger than the screen enlarge it.
    width = tf.maximum(little_endian(header[0:2]), left + frame_width)
    height = tf.maximum(little_endian(header[2:4]), top + frame_height)

    def decode() -> tf.Tensor:
        has_own_palette, own_palette_size = _gif_palette(descriptor[9])
        data_start = frame + 10 + tf.where(has_own_palette, 3 * own_palette_size, 0)
        data_end = _gif_data_end(values, data_start + 1)
        size = tf.strings.substr(encoded, frame + 5, tf.constant(4, tf.int64))
        palette = bytes(index for index in range(256) for _ in range(3))
        interlaced = descriptor[9] & 0x40 != 0
        alone = tf.strings.join(
            [
                b"GIF89a",
                size,
                b"\xf7\0\0" + palette + b",\0\0\0\0",  # A palette of 256 colours, and a frame at the top left.
                size,
                tf.where(interlaced, b"\x40", b"\0"),
                tf.strings.substr(encoded, data_start, data_end - data_start),
                b";",
            ]
        )
        with tf.control_dependencies([tf.debugging.assert_positive(tf.stack([frame_width, frame_height]))]):
            indices = tf.raw_ops.DecodeGif(contents=alone)[0, :, :, 0]

        palette_start = tf.where(has_own_palette, frame + 10, 13)
        palette_size_used = tf.where(has_own_palette, own_palette_size, tf.where(has_palette, palette_size, 0))
        colours = palette_of(encoded, palette_start, palette_size_used, 3)
        is_transparent = tf.range(256, dtype=tf.int64) == transparent
        colours = tf.where(is_transparent[:, tf.newaxis], tf.constant(255, tf.uint8), colours)
        # Around the frame is what the transparent colour shows, or else the first one.
        around = tf.gather(colours, tf.maximum(transparent, 0))
        painted = tf.gather(colours, tf.cast(indices, tf.int32))
        return tf.cond(
            (frame_width == width) & (frame_height == height),
            lambda: painted,
            lambda: _on_canvas(painted, around, tf.stack([top, left]), tf.stack([height, width])),
        )

    return bounded(width, height, decode)


def _gif_palette(flags: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether there is a palette, and how many colours it would have."""
    return flags & 0x80 != 0, tf.bitwise.left_shift(tf.constant(2, tf.int64), flags & 7)


def _gif_step(values: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Passes sub-blocks, each of which begins with its size: all those of one size that follow one another.

    Returns:
        Where the next sub-block begins, and whether this was the last, which has no bytes.
    """
    size = tf.cast(values[position], tf.int64)
    sizes = tf.ensure_shape(values[position : position + _GIF_WINDOW * (size + 1) : size + 1], [None])
    differs = sizes != values[position]
    run = tf.where(tf.reduce_any(differs), tf.argmax(differs), tf.size(sizes, tf.int64))
    last = size == 0
    return position + tf.where(size > 0, run * (size + 1), 1), last


def _gif_data_end(values: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Where the sub-blocks from a position on end; fails if they don't."""

    def walk(step, position, last):
        return (step + 1, *_gif_step(values, position))

    end = tf.size(values, tf.int64)
    _, position, last = tf.while_loop(
        lambda step, position, last: ~last & (step < MAX_STEPS) & (position < end), walk, (0, position, False)
    )
    with tf.control_dependencies([fail_unless(last)]):
        return tf.identity(position)


def _gif_first_frame(encoded: tf.Tensor, values: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the first frame's descriptor begins, and which colour is transparent (-1: none); fails without a frame."""
    end = tf.size(values, tf.int64)

    def walk(step, position, inside, transparent, found):
        def pass_sub_blocks():
            following, last = _gif_step(values, position)
            return following, ~last, transparent, False

        def read_block():
            block = bytes_at(encoded, position, 7)
            is_extension = block[0] == 0x21
            has_transparent = is_extension & (block[1] == 0xF9) & (block[2] >= 4) & (block[3] & 1 != 0)
            # As in Pillow, bytes between blocks that mean nothing are passed.
            advance = tf.where(is_extension, tf.constant(2, tf.int64), tf.where(block[0] == 0x3B, end, 1))
            found = block[0] == 0x2C
            following = tf.where(found, position, position + advance)
            return following, is_extension, tf.where(has_transparent, block[6], transparent), found

        return (step + 1, *tf.cond(inside, pass_sub_blocks, read_block))

    _, position, _, transparent, found = tf.while_loop(
        lambda step, position, inside, transparent, found: ~found & (step < MAX_STEPS) & (position < end),
        walk,
        (0, position, False, tf.constant(-1, tf.int64), False),
    )
    with tf.control_dependencies([fail_unless(found)]):
        return tf.identity(position), transparent


def _on_canvas(pixels: tf.Tensor, around: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Pads an image with a colour."""
    before = tf.cast(corner, tf.int32)
    after = tf.cast(size, tf.int32) - before - tf.shape(pixels)[:2]
    paddings = tf.stack([before, after], axis=1)
    channels = [tf.pad(pixels[..., channel], paddings, constant_values=around[channel]) for channel in range(3)]
    return tf.stack(channels, axis=-1)
