"""ICC profiles inside a TensorFlow graph: what one says of the colours of a file.

Source: ICC.1:2022; with the choices of Little CMS, by which `data.colour_profiles` converts.
"""

import tensorflow as tf

from stargan_tf.data.colour_profiles import SAMPLE_COLOURS, SRGB_TOLERANCE
from stargan_tf.serving.decoding.branches import rarely
from stargan_tf.serving.decoding.colour import Colours, convert, no_conversion, to_light_of_srgb
from stargan_tf.serving.decoding.file_bytes import big_endian, bytes_at, length

_MAX_VERSION, _MAX_TAGS = 4, 100  # As in Little CMS.
_MAX_ENTRIES = 4096  # Of a curve: the most that programs write.
_MAX_DEFLATED = 2**16  # Bytes in a PNG: a hostile file may unfold to a thousand times as many.
_MAX_INFLATED = 2**20  # Bytes, as in Pillow.
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")  # The others are no profiles of images.
_PARAMETERS = (1, 3, 4, 5, 7)  # Of parametric curves, by their type.


def of_jpeg(encoded: tf.Tensor, segments: tf.Tensor, channels: tf.Tensor) -> Colours:
    """What the profile of a JPEG says, which may be cut into segments in any order.

    Args:
        encoded: the file.
        segments: [n] int64, where the segments with parts of a profile begin.
        channels: 1 (grey), 3 or 4 (CMYK), int64.
    """
    return rarely(tf.size(segments) > 0, _of_jpeg, no_conversion, (encoded, segments, channels))


def of_png(encoded: tf.Tensor, chunk: tf.Tensor, channels: tf.Tensor) -> Colours:
    """What the profile of a PNG says.

    Args:
        encoded: the file.
        chunk: where the chunk with the profile begins, int64; negative if there is none.
        channels: 1 (grey) or 3, int64.
    """
    return rarely(chunk >= 0, _of_png, no_conversion, (encoded, chunk, channels))


def _of_jpeg(encoded: tf.Tensor, segments: tf.Tensor, channels: tf.Tensor) -> Colours:
    def part(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = bytes_at(encoded, start, 18)
        begin, size = tf.minimum(start + 18, length(encoded)), tf.maximum(big_endian(head[2:4]) - 16, 0)
        return head[16:], tf.strings.substr(encoded, begin, size)

    numbers, parts = tf.map_fn(part, segments, fn_output_signature=(tf.int64, tf.string))
    # Their number, and of how many; with another count Pillow sees no profile.
    order = tf.argsort(numbers[:, 0] * 256 + numbers[:, 1], stable=True)
    numbers, parts = tf.gather(numbers, order), tf.gather(parts, order)
    whole = numbers[0, 1] == tf.size(segments, tf.int64)
    twice = tf.reduce_any(numbers[1:, 0] == numbers[:-1, 0])
    return _colours(tf.where(whole, tf.strings.reduce_join(parts), ""), channels, whole & twice)


def _of_png(encoded: tf.Tensor, chunk: tf.Tensor, channels: tf.Tensor) -> Colours:
    head = bytes_at(encoded, chunk, 8 + 81)
    size = big_endian(head[:4])
    # A name of at most 79 bytes, a zero, and the method, of which there is one.
    zero = tf.argmin(head[8:88])
    readable = (head[8 + zero] == 0) & (head[9 + zero] == 0) & (size <= _MAX_DEFLATED) & (size > zero + 2)
    start = tf.minimum(chunk + 8 + zero + 2, length(encoded))
    deflated = tf.strings.substr(encoded, start, tf.where(readable, size - zero - 2, 0))
    # Pillow sees no profile where the bytes are damaged; an error inside a dataset leaves it empty.
    inflated = tf.data.Dataset.from_tensors(deflated).map(lambda part: tf.io.decode_compressed(part, "ZLIB"))
    none = tf.data.Dataset.from_tensors(tf.constant(""))
    profile = inflated.ignore_errors(log_warning=False).concatenate(none).take(1).get_single_element()
    return _colours(profile, channels, ~readable | (length(profile) > _MAX_INFLATED))


@tf.function(
    autograph=False,
    input_signature=[tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool)],
)
def _colours(profile: tf.Tensor, channels: tf.Tensor, unread: tf.Tensor) -> Colours:
    """What a profile says of a file; `unread` if it is not sure that this is the file's. In exported models once."""
    header = bytes_at(profile, 0, 132)

    def is_one_of(position: int, *names: bytes) -> tf.Tensor:
        return tf.reduce_any([tf.reduce_all(header[position : position + 4] == [*name]) for name in names])

    # Without effect, as in `data.colour_profiles`: no profile at all, or for images of another kind.
    ignored = (
        (length(profile) < 132)
        | ~is_one_of(36, b"acsp")
        | ~tf.reduce_any(
            [
                is_one_of(16, b"RGB ") & (channels != 4),
                is_one_of(16, b"GRAY") & (channels == 1),
                is_one_of(16, b"CMYK") & (channels == 4),
            ]
        )
    )
    end = tf.minimum(big_endian(header[:4]), length(profile))
    count = big_endian(header[128:132])
    table = tf.reshape(bytes_at(profile, 132, 12 * _MAX_TAGS), [_MAX_TAGS, 12])[: tf.minimum(count, _MAX_TAGS)]
    names, starts, sizes = table[:, :4], big_endian(table[:, 4:8]), big_endian(table[:, 8:])
    has_tables = tf.reduce_any(tf.reduce_all(names[:, tf.newaxis, :3] == [[*b"A2B"], [*b"D2B"]], axis=-1))
    wanted = [[*(channel + kind)] for kind in (b"XYZ", b"TRC") for channel in (b"r", b"g", b"b")]
    found = tf.reduce_all(names == tf.constant(wanted, tf.int64)[:, tf.newaxis], axis=-1)
    once = tf.reduce_all(tf.math.count_nonzero(found, axis=1) == 1)
    # One more, for what is not found.
    places = tf.argmax(tf.concat([tf.cast(found, tf.int32), tf.ones([6, 1], tf.int32)], axis=1), axis=1)
    starts, sizes = (tf.gather(tf.concat([values, [0]], axis=0), places) for values in (starts, sizes))
    inside = tf.reduce_all((starts + sizes <= end) & (sizes >= [20, 20, 20, 12, 12, 12]))

    primaries, are_xyz = tf.map_fn(
        lambda start: _xyz(profile, start), starts[:3], fn_output_signature=(tf.float64, tf.bool)
    )
    light, are_curves = tf.map_fn(
        lambda start: _curve(profile, start, end), starts[3:], fn_output_signature=(tf.float64, tf.bool)
    )
    # Little CMS makes up for a black that is not dark, in another and coarser way.
    sane = (light[:, 0] == 0) & (light[:, -1] > 0.5) & tf.reduce_all((light >= 0) & (light < 2), axis=1)
    is_matrix = (
        is_one_of(12, *_CLASSES)
        & is_one_of(16, b"RGB ")
        & is_one_of(20, b"XYZ ")
        & (header[8] <= _MAX_VERSION)
        & (count <= _MAX_TAGS)
        & ~has_tables
        & once
        & inside
        & tf.reduce_all(are_xyz & are_curves & sane)
    )
    light, matrix = to_light_of_srgb(tf.where(is_matrix, light, 0), tf.where(is_matrix, primaries, 0))
    samples = tf.constant(SAMPLE_COLOURS)
    moved = tf.cast(convert(samples, light, matrix), tf.int32) - tf.cast(samples, tf.int32)
    is_srgb = tf.reduce_max(tf.abs(moved)) <= SRGB_TOLERANCE
    applied = ~ignored & ~unread
    return Colours(unread | (applied & ~is_matrix), applied & is_matrix & ~is_srgb, light, matrix)


def _fixed(values: tf.Tensor) -> tf.Tensor:
    """Numbers of s15Fixed16Number, [n] float64 of [4 n] bytes."""
    numbers = big_endian(tf.reshape(values, [-1, 4]))
    return tf.cast(tf.where(numbers < 2**31, numbers, numbers - 2**32), tf.float64) / 65536


def _xyz(profile: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    tag = bytes_at(profile, start, 20)
    numbers = _fixed(tag[8:])
    # Beyond, the whole numbers of Little CMS overflow.
    return numbers, tf.reduce_all(tag[:4] == [*b"XYZ "]) & tf.reduce_all(tf.abs(numbers) < 2)


def _curve(profile: tf.Tensor, start: tf.Tensor, end: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Light of the values 0 to 255, and whether there is a curve that is read."""
    tag = bytes_at(profile, start, 40)
    x = tf.range(256, dtype=tf.float64) / 255
    entries = big_endian(tag[8:12])
    is_table = tf.reduce_all(tag[:4] == [*b"curv"]) & (entries <= _MAX_ENTRIES) & (start + 12 + 2 * entries <= end)
    kind = big_endian(tag[8:10])
    is_formula = tf.reduce_all(tag[:4] == [*b"para"]) & (kind < len(_PARAMETERS))
    kind = tf.minimum(kind, len(_PARAMETERS) - 1)
    is_formula &= start + 12 + 4 * tf.gather(tf.constant(_PARAMETERS, tf.int64), kind) <= end

    def table() -> tf.Tensor:
        part = tf.strings.substr(profile, start + 12, 2 * entries)
        values = tf.cast(tf.io.decode_raw(part, tf.uint16, little_endian=False), tf.float64)
        position = x * tf.cast(entries - 1, tf.float64)
        below = tf.minimum(tf.cast(position, tf.int64), entries - 2)
        low, high = tf.gather(values, below), tf.gather(values, below + 1)
        return tf.round(low + (high - low) * (position - tf.cast(below, tf.float64))) / 65535

    def formula() -> tf.Tensor:
        one_entry = tf.cast(big_endian(tag[12:14]), tf.float64) / 256
        g, a, b, c, d, e, f = tf.unstack(_fixed(tag[12:]))
        zero, one = tf.zeros([], tf.float64), tf.ones([], tf.float64)
        # Each as (a x + b) ** g + e from d on, and c x + f below.
        forms = [
            [g, one, zero, zero, zero, zero, zero],
            [g, a, b, zero, -b / a, zero, zero],
            [g, a, b, zero, -b / a, c, c],
            [g, a, b, c, d, zero, zero],
            [g, a, b, c, d, e, f],
            [one, one, zero, zero, zero, zero, zero],
            [one_entry, one, zero, zero, zero, zero, zero],
        ]
        which = tf.where(is_table, len(_PARAMETERS) + tf.minimum(entries, 1), kind)
        g, a, b, c, d, e, f = tf.unstack(tf.gather(tf.stack([tf.stack(form) for form in forms]), which))
        return tf.where(x >= d, tf.maximum(a * x + b, 0) ** g + e, c * x + f)

    return tf.cond(is_table & (entries > 1), table, formula), is_table | is_formula
