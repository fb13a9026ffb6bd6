"""Encoded images to arrays inside a TensorFlow graph, as `stargan_tf.data.images` does it with Pillow outside of one.

Only stock TensorFlow operations, so that TensorFlow Serving runs it. Where it differs from Pillow:

- JPEG: the pixels are libjpeg-turbo's in both, of CMYK up to 1/255 apart. EXIF that cannot be read is ignored, where
  Pillow refuses the image. An orientation that stands only in XMP, or in a PNG's text, is not seen.
- PNG: grey of 16 bits keeps its high byte, where Pillow clips at 255 and so shows nearly all of it white. A transparent
  colour is compared in the file's own depth, where Pillow compares 8 bits.
- GIF: some broken streams of pixels are shown that Pillow refuses; one cut off is always refused.
- BMP: compressed ones (RLE) are refused.
- Resizing: sums are in float32, not in fixed point. Less than one value in 1,000 is off by 1/255; about one in 500,000,
  where enlarging amplifies that of the first pass, by 2/255.
"""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")

# Bounds of the loops over the parts of a file, which a hostile file may have millions of. What a real program cuts into
# as many parts has tens of megabytes.
_MAX_STEPS = 10_000

# A progressive JPEG may announce any number of scans, each of which takes a pass over all pixels and next to no bytes.
_MAX_JPEG_SCANS = 500

# Sub-blocks of a GIF that one step of the loop looks at.
_GIF_WINDOW = 4096

# Decodes a file whose pixels are few enough: width, height (int64), and what decodes it to [height, width, 3] uint8.
_Bounded = Callable[[tf.Tensor, tf.Tensor, Callable[[], tf.Tensor]], tuple[tf.Tensor, tf.Tensor]]


def decode_images(
    contents: tf.Tensor, image_size: tuple[int, int], max_pixels: int, name: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes images, turns them upright, shows transparency on white, crops the centre and resizes with antialiasing.

    A row that is refused leaves the others alone. Of an animation the first frame counts, and only that is decoded.

    Args:
        contents: [N] string, encoded JPEG, PNG, GIF or BMP; N may be 0.
        image_size: height and width wanted, in pixels.
        max_pixels: images whose header announces more are not decoded.
        name: what the sentences call the input.

    Returns:
        Images, [N, height, width, 3] float32 in [-1, 1], zeros where refused; errors, [N] string, "" or one sentence.
    """
    height, width = image_size
    refusals = tf.constant(
        [f"{name} is a damaged {kind} file" for kind in _FORMATS]
        + [f"{name} is not a JPEG, PNG, GIF or BMP file", f"{name} is empty"]
    )

    def decode_row(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        kind = _recognize(encoded)
        # What a decoder's error is turned into: an error inside a dataset leaves it empty, and the next one takes over.
        decoded = tf.data.Dataset.from_tensors(encoded).map(
            lambda row: _decode(row, kind, refusals, image_size, partial(_bounded, max_pixels=max_pixels, name=name))
        )
        refused = tf.data.Dataset.from_tensors((tf.zeros([height, width, 3]), tf.gather(refusals, kind)))
        return decoded.ignore_errors(log_warning=False).concatenate(refused).take(1).get_single_element()

    def decode_all() -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.data.Dataset.from_tensor_slices(contents)
        rows = rows.map(decode_row, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return rows.batch(tf.shape(contents, tf.int64)[0]).get_single_element()

    images, errors = tf.cond(
        tf.size(contents) > 0,
        decode_all,
        lambda: (tf.zeros([0, height, width, 3]), tf.zeros([0], tf.string)),
    )
    return tf.ensure_shape(images, [None, height, width, 3]), tf.ensure_shape(errors, [None])


def _recognize(encoded: tf.Tensor) -> tf.Tensor:
    """Index of the format in _FORMATS; one more for any other, two more for no bytes at all. Scalar int32."""

    def starts_with(magic: bytes) -> tf.Tensor:
        return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

    return tf.case(
        [
            (tf.equal(encoded, b""), lambda: len(_FORMATS) + 1),
            (starts_with(b"\xff\xd8\xff"), lambda: _FORMATS.index("JPEG")),
            (starts_with(b"\x89PNG\r\n\x1a\n"), lambda: _FORMATS.index("PNG")),
            (starts_with(b"GIF87a") | starts_with(b"GIF89a"), lambda: _FORMATS.index("GIF")),
            (starts_with(b"BM"), lambda: _FORMATS.index("BMP")),
        ],
        default=lambda: len(_FORMATS),
    )


def _decode(
    encoded: tf.Tensor, kind: tf.Tensor, refusals: tf.Tensor, image_size: tuple[int, int], bounded: _Bounded
) -> tuple[tf.Tensor, tf.Tensor]:
    """One row; fails with any error at all if the file is damaged."""
    pixels, error = tf.switch_case(
        kind,
        [partial(decoder, encoded, bounded) for decoder in (_decode_jpeg, _decode_png, _decode_gif, _decode_bmp)],
        default=lambda: (tf.zeros([0, 0, 3], tf.uint8), tf.gather(refusals, kind)),
    )

    def to_array() -> tf.Tensor:
        fitted = tf.cast(_fit(tf.ensure_shape(pixels, [None, None, 3]), image_size), tf.float32)
        # The same operations as `data.images.to_array`, so that both give the same bits.
        return fitted * (1 / 127.5) - 1

    return tf.cond(tf.equal(error, ""), to_array, lambda: tf.zeros([*image_size, 3])), error


def _bounded(
    width: tf.Tensor, height: tf.Tensor, decode: Callable[[], tf.Tensor], max_pixels: int, name: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes, or refuses for the number of pixels; fails if there are none."""

    def refuse() -> tuple[tf.Tensor, tf.Tensor]:
        size = (tf.strings.as_string(width), " x ", tf.strings.as_string(height))
        sentence = tf.strings.join([f"{name} announces ", *size, f" pixels; at most {max_pixels} pixels are taken"])
        return tf.zeros([0, 0, 3], tf.uint8), sentence

    with tf.control_dependencies([tf.debugging.assert_positive(width), tf.debugging.assert_positive(height)]):
        # Not a product: two numbers of 32 bits would overflow it.
        too_many = width > max_pixels // height
    return tf.cond(too_many, refuse, lambda: (decode(), tf.constant("")))


# Bytes --------------------------------------------------------------------------------------------


def _length(encoded: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(encoded), tf.int64)


def _bytes(encoded: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """[count] int64; zeros where there are no bytes."""
    position = tf.minimum(tf.cast(position, tf.int64), _length(encoded))
    part = tf.strings.substr(encoded, position, tf.constant(count, tf.int64))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def _little_endian(values: tf.Tensor) -> tf.Tensor:
    """Numbers of bytes along the last axis, int64."""
    return tf.reduce_sum(values * [256**place for place in range(values.shape[-1])], axis=-1)


def _big_endian(values: tf.Tensor) -> tf.Tensor:
    return _little_endian(tf.reverse(values, [-1]))


def _fail_unless(condition: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(condition, ["damaged"])


# JPEG ---------------------------------------------------------------------------------------------


def _decode_jpeg(encoded: tf.Tensor, bounded: _Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    end = _length(encoded)

    def walk(step, position, exif, frame, done):
        head = _bytes(encoded, position, 10)
        marker, size = head[1], _big_endian(head[2:4])
        # libjpeg skips bytes that are no marker; 0xFF may be repeated before one, and 0xFF00 is none.
        no_marker = (head[0] != 0xFF) | (marker == 0xFF) | (marker == 0)
        alone = (marker == 0x01) | ((marker >= 0xD0) & (marker <= 0xD9))
        is_exif = ~no_marker & (marker == 0xE1) & tf.reduce_all(head[4:] == [*b"Exif\0\0"])
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
            ~no_marker & ((marker == 0xDA) | (marker == 0xD9)),  # The pixels, or the end.
        )

    none = tf.constant(-1, tf.int64)
    _, _, exif, frame, _ = tf.while_loop(
        lambda step, position, exif, frame, done: ~done & (step < _MAX_STEPS) & (position < end),
        walk,
        (0, tf.constant(2, tf.int64), none, none, False),
    )
    size = _bytes(encoded, tf.maximum(frame, 0) + 5, 4)
    height, width = _big_endian(size[:2]), _big_endian(size[2:])

    def decode() -> tf.Tensor:
        values = tf.io.decode_raw(encoded, tf.uint8)
        scans = tf.math.count_nonzero((values[:-1] == 0xFF) & (values[1:] == 0xDA))
        announced = tf.cast(tf.io.extract_jpeg_shape(encoded), tf.int64)
        # The decoder must have found the size that was compared with the limit.
        same = (announced[0] == height) & (announced[1] == width)
        with tf.control_dependencies([_fail_unless(same & (scans <= _MAX_JPEG_SCANS))]):
            # As Pillow has it: the accurate transform, and the triangle filter for colour.
            pixels = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True)
        exif_size = _big_endian(_bytes(encoded, tf.maximum(exif, 0) + 2, 2)) - 8  # Without the size itself, "Exif\0\0".
        found = (exif >= 0) & (exif_size > 0)
        return _upright(pixels, _orientation(encoded, tf.maximum(exif, 0) + 10, tf.where(found, exif_size, 0)))

    with tf.control_dependencies([_fail_unless(frame >= 0)]):
        return bounded(tf.identity(width), height, decode)


def _orientation(encoded: tf.Tensor, position: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Orientation in an EXIF block, which is a TIFF header and its first directory; 1 if there is none."""
    exif = tf.strings.substr(encoded, tf.minimum(position, _length(encoded)), size)
    # Some programs write the marker twice, and in a PNG none is due.
    exif = tf.strings.regex_replace(exif, r"^(Exif\x00\x00)+", "")
    head = _bytes(exif, 0, 8)
    little = tf.reduce_all(head[:4] == [*b"II*\0"])
    known = little | tf.reduce_all(head[:4] == [*b"MM\0*"])

    def number(values: tf.Tensor) -> tf.Tensor:
        return tf.where(little, _little_endian(values), _big_endian(values))

    directory = number(head[4:])
    entries = _bytes(exif, directory + 2, 12 * 256)
    entries = tf.reshape(entries, [256, 12])[: number(_bytes(exif, directory, 2))]
    short, long = number(entries[:, 8:10]), number(entries[:, 8:12])
    kind = number(entries[:, 2:4])
    value = tf.where(kind == 3, short, long)
    is_orientation = (number(entries[:, :2]) == 0x0112) & (number(entries[:, 4:8]) == 1) & ((kind == 3) | (kind == 4))
    values = tf.concat([tf.ones([1], tf.int64), tf.boolean_mask(value, is_orientation)], axis=0)
    return tf.where(known & (values[-1] >= 1) & (values[-1] <= 8), values[-1], 1)


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    transposed = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    vertical = tf.reduce_any(orientation == [3, 4, 7, 8])
    horizontal = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.reverse(transposed, tf.boolean_mask([0, 1], tf.stack([vertical, horizontal])))


# PNG ----------------------------------------------------------------------------------------------


def _decode_png(encoded: tf.Tensor, bounded: _Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    header = _bytes(encoded, 8, 18)
    width, height, colour_type = _big_endian(header[8:12]), _big_endian(header[12:16]), header[17]
    end = _length(encoded)

    def walk(step, position, transparent, exif, done):
        head = _bytes(encoded, position, 8)

        def is_chunk(chunk: bytes) -> tf.Tensor:
            return tf.reduce_all(head[4:] == [*chunk])

        return (
            step + 1,
            position + 12 + _big_endian(head[:4]),
            transparent | is_chunk(b"tRNS"),
            tf.where(is_chunk(b"eXIf"), position, exif),
            is_chunk(b"IEND"),
        )

    def decode() -> tf.Tensor:
        _, _, transparent, exif, _ = tf.while_loop(
            lambda step, position, transparent, exif, done: ~done & (step < _MAX_STEPS) & (position < end),
            walk,
            (0, tf.constant(8, tf.int64), False, tf.constant(-1, tf.int64), False),
        )
        # Only where there is transparency, to keep the other images small.
        pixels = tf.cond(
            transparent | (colour_type == 4) | (colour_type == 6),
            lambda: _on_white(tf.io.decode_png(encoded, channels=4)),
            lambda: tf.io.decode_png(encoded, channels=3),
        )
        exif_size = tf.where(exif >= 0, _big_endian(_bytes(encoded, tf.maximum(exif, 0), 4)), 0)
        return _upright(pixels, _orientation(encoded, tf.maximum(exif, 0) + 8, exif_size))

    with tf.control_dependencies([_fail_unless(tf.reduce_all(header[4:8] == [*b"IHDR"]))]):
        return bounded(tf.identity(width), height, decode)


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """[height, width, 4] uint8 to [height, width, 3], by the rounding of Pillow's `alpha_composite`."""
    colour, alpha = tf.cast(pixels[..., :3], tf.uint16), tf.cast(pixels[..., 3:], tf.uint16)
    # At most 255 * 255 + 128, which 16 bits hold; the second line divides it by 255.
    mixed = colour * alpha + (255 - alpha) * 255 + 128
    return tf.cast(tf.bitwise.right_shift(mixed + tf.bitwise.right_shift(mixed, 8), 8), tf.uint8)


# GIF ----------------------------------------------------------------------------------------------


def _decode_gif(encoded: tf.Tensor, bounded: _Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    """TensorFlow's decoder holds all frames of an animation in memory, so it gets a file with the first frame alone.

    That file has a palette in which every index is its own grey: so the decoder gives indices, and the transparent one
    can be told from others of its colour.
    """
    header = _bytes(encoded, 6, 7)
    has_palette, palette_size = _gif_palette(header[4])
    first_block = 13 + tf.where(has_palette, 3 * palette_size, 0)
    values = tf.io.decode_raw(encoded, tf.uint8)
    frame, transparent = _gif_first_frame(encoded, values, first_block)

    descriptor = _bytes(encoded, frame, 10)
    left, top, frame_width, frame_height = tf.unstack(_little_endian(tf.reshape(descriptor[1:9], [4, 2])))
    # Pillow lets a frame that is larger than the screen enlarge it.
    width = tf.maximum(_little_endian(header[0:2]), left + frame_width)
    height = tf.maximum(_little_endian(header[2:4]), top + frame_height)

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
        colours = _palette(encoded, palette_start, palette_size_used, 3)
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
        lambda step, position, last: ~last & (step < _MAX_STEPS) & (position < end), walk, (0, position, False)
    )
    with tf.control_dependencies([_fail_unless(last)]):
        return tf.identity(position)


def _gif_first_frame(encoded: tf.Tensor, values: tf.Tensor, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the first frame's descriptor begins, and which colour is transparent (-1: none); fails without a frame."""
    end = tf.size(values, tf.int64)

    def walk(step, position, inside, transparent, found):
        def pass_sub_blocks():
            following, last = _gif_step(values, position)
            return following, ~last, transparent, False

        def read_block():
            block = _bytes(encoded, position, 7)
            is_extension = block[0] == 0x21
            has_transparent = is_extension & (block[1] == 0xF9) & (block[2] >= 4) & (block[3] & 1 != 0)
            # As in Pillow, bytes between blocks that mean nothing are passed.
            advance = tf.where(is_extension, tf.constant(2, tf.int64), tf.where(block[0] == 0x3B, end, 1))
            found = block[0] == 0x2C
            following = tf.where(found, position, position + advance)
            return following, is_extension, tf.where(has_transparent, block[6], transparent), found

        return (step + 1, *tf.cond(inside, pass_sub_blocks, read_block))

    _, position, _, transparent, found = tf.while_loop(
        lambda step, position, inside, transparent, found: ~found & (step < _MAX_STEPS) & (position < end),
        walk,
        (0, position, False, tf.constant(-1, tf.int64), False),
    )
    with tf.control_dependencies([_fail_unless(found)]):
        return tf.identity(position), transparent


def _on_canvas(pixels: tf.Tensor, around: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Pads an image with a colour."""
    before = tf.cast(corner, tf.int32)
    after = tf.cast(size, tf.int32) - before - tf.shape(pixels)[:2]
    paddings = tf.stack([before, after], axis=1)
    channels = [tf.pad(pixels[..., channel], paddings, constant_values=around[channel]) for channel in range(3)]
    return tf.stack(channels, axis=-1)


def _palette(encoded: tf.Tensor, position: tf.Tensor, size: tf.Tensor, stride: int) -> tf.Tensor:
    """[256, 3] uint8: the colours of a palette, the shades of grey if it has none, black after its end."""
    colours = tf.reshape(_bytes(encoded, position, 256 * stride), [256, stride])[:, :3]
    index = tf.range(256, dtype=tf.int64)[:, tf.newaxis]
    return tf.cast(tf.where(size == 0, index, tf.where(index < size, colours, 0)), tf.uint8)


# BMP ----------------------------------------------------------------------------------------------


def _decode_bmp(encoded: tf.Tensor, bounded: _Bounded) -> tuple[tf.Tensor, tf.Tensor]:
    """Not TensorFlow's decoder: that takes palette indices for grey, and compressed data for pixels."""
    head = _bytes(encoded, 0, 70)

    def number(position: int, size: int) -> tf.Tensor:
        return _little_endian(head[position : position + size])

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
            lambda: _palette(encoded, 14 + header_size, colours, 3),
            lambda: _palette(encoded, 14 + header_size, colours, 4),
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
        with tf.control_dependencies([_fail_unless(six_green | five_each)]):
            red = tf.bitwise.right_shift(values, red_shift) & 31
        green, blue = tf.bitwise.right_shift(values, 5) & green_max, values & 31
        return tf.cast(tf.stack([red * 255 // 31, green * 255 // green_max, blue * 255 // 31], axis=-1), tf.uint8)

    def of_24_bits(rows: tf.Tensor) -> tf.Tensor:
        usual = ~masked | tf.reduce_all(mask_values == [0xFF0000, 0xFF00, 0xFF])
        with tf.control_dependencies([_fail_unless(usual)]):
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
        with tf.control_dependencies([_fail_unless(tf.reduce_all(found[:3]) & (found[3] | ~has_alpha))]):
            places = tf.argmax(places, axis=1)
        return tf.cond(
            has_alpha,
            lambda: _on_white(tf.gather(pixels, places, axis=2)),
            lambda: tf.gather(pixels, places[:3], axis=2),
        )

    known = tf.reduce_any(header_size == [12, 40, 52, 56, 64, 108, 124]) & tf.reduce_any(bits == [1, 4, 8, 16, 24, 32])
    known &= (compression == 0) | (masked & (bits >= 16))
    with tf.control_dependencies([_fail_unless(known)]):
        return bounded(tf.identity(width), height, decode)


# Size ---------------------------------------------------------------------------------------------


def _fit(pixels: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """As `data.images.fit_image`; [height, width, 3] uint8.

    An image that has the size goes through unchanged: the kernel then is 1 at its centre and 0 at all other pixels.
    """
    height, width = image_size
    shape = tf.cast(tf.shape(pixels), tf.float64)
    scale = tf.minimum(shape[0] / height, shape[1] / width)

    def resize_vertically(pixels: tf.Tensor) -> tf.Tensor:
        return _resize_rows(pixels, height, scale)

    def resize_horizontally(pixels: tf.Tensor) -> tf.Tensor:
        # TensorFlow's operation goes vertically first, to float32: lest the whole image become that, it is turned.
        return tf.transpose(_resize_rows(tf.transpose(pixels, [1, 0, 2]), width, scale), [1, 0, 2])

    # Pillow rounds each of its two passes to 8 bits, so their order matters; it changes it for very tall images.
    tall = (shape[0] > 100 * shape[1]) & (shape[0] > height)
    pixels = tf.cond(
        tall,
        lambda: resize_horizontally(resize_vertically(pixels)),
        lambda: resize_vertically(resize_horizontally(pixels)),
    )
    return tf.ensure_shape(pixels, [height, width, 3])


def _resize_rows(pixels: tf.Tensor, height: int, scale: tf.Tensor) -> tf.Tensor:
    """Resizes `height * scale` rows from the middle, with the Lanczos filter and antialiasing, to `height` rows."""
    rows = tf.cast(tf.shape(pixels)[0], tf.float64)
    top = (rows - scale * height) / 2
    # Without the rows that the filter does not reach, positions have more digits in float32.
    reach = 3 * tf.maximum(scale, 1) + 1
    first = tf.maximum(tf.floor(top - reach), 0)
    last = tf.minimum(tf.math.ceil(rows - top + reach), rows)
    pixels = pixels[tf.cast(first, tf.int32) : tf.cast(last, tf.int32)]
    resized = tf.raw_ops.ScaleAndTranslate(
        images=pixels[tf.newaxis],
        size=tf.stack([height, tf.shape(pixels)[1]]),
        scale=tf.cast(tf.stack([1 / scale, 1]), tf.float32),
        translation=tf.cast(tf.stack([(first - top) / scale, 0]), tf.float32),
        kernel_type="lanczos3",
        antialias=True,
    )[0]
    return tf.cast(tf.clip_by_value(tf.floor(resized + 0.5), 0, 255), tf.uint8)
