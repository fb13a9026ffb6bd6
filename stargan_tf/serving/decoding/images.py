"""Encoded images to arrays inside a TensorFlow graph, as `stargan_tf.data.images` does it with Pillow outside of one.

Only stock TensorFlow operations, so that TensorFlow Serving runs it. JPEG and PNG are what TensorFlow decodes as Pillow
does; `serving.sendable_images` turns other formats and colours into PNG before they are sent. Differences from Pillow:

- JPEG: the pixels are libjpeg-turbo's in both; those of CMYK differ by up to 1/255. EXIF that cannot be read is
  ignored, where Pillow refuses the image. An orientation that only XMP or the text of a PNG gives is ignored.
- PNG: 16-bit grey keeps its high byte, where `data.images` rounds. A transparent colour is compared at the file's own
  depth, where Pillow compares 8 bits.
- ICC profiles: those of RGB by a matrix and curves are followed, with at most one value in 100 off by 1/255; others are
  refused (`icc`).
- Resizing: sums are in float32, not in fixed point. Less than one value in 1,000 is off by 1/255; about one in 500,000,
  where enlarging amplifies the rounding of the first pass, by 2/255.
"""

from collections.abc import Callable, Sequence
from functools import partial

import tensorflow as tf

from stargan_tf.config import ImageConfig
from stargan_tf.serving import sendable_images
from stargan_tf.serving.decoding.jpeg import decode_jpeg
from stargan_tf.serving.decoding.limits import within
from stargan_tf.serving.decoding.png import decode_png, refuse_deep
from stargan_tf.serving.decoding.resizing import fit

# In the order of _SIGNATURES, which they begin.
_DECODED = ("JPEG", "PNG")

# REST carries bytes as base64, under a name; without it they are taken for the file itself.
_BASE64 = "base64"

# By format, the bytes that tell it and where they stand; one of several is enough. The formats without a decoder are
# recognized so that a refusal can name them.
_SIGNATURES = {
    "JPEG": [(0, b"\xff\xd8\xff")],
    "PNG": [(0, b"\x89PNG\r\n\x1a\n")],
    "GIF": [(0, b"GIF87a"), (0, b"GIF89a")],
    "BMP": [(0, b"BM")],
    "WebP": [(8, b"WEBP")],
    "TIFF": [(0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")],
    "AVIF": [(4, b"ftypavif"), (4, b"ftypavis")],
    _BASE64: [(0, begin) for begin in sendable_images.BASE64],
}


def decode_images(
    contents: tf.Tensor, image_size: tuple[int, int], max_pixels: int, name: tf.Tensor | str, how: ImageConfig
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes images, turns them upright, shows transparency on the background, and fits them to the size wanted.

    A row that is refused leaves the others alone.

    Args:
        contents: [N] string, encoded JPEG or PNG; N may be 0.
        image_size: height and width wanted, in pixels.
        max_pixels: images whose header announces more are not decoded.
        name: what the sentences call the input, scalar string.
        how: background, whether to crop, pad or stretch, and whether the full range of 16 bits is meant.

    Returns:
        Images, [N, height, width, 3] float32 in [-1, 1], zeros where refused; errors, [N] string, "" or one sentence.
    """
    height, width = image_size
    advice = "it must be a JPEG or PNG file, and stargan_tf.serving.client converts others"
    sentences = {kind: f" is a {kind} file; {advice}" for kind in _SIGNATURES}
    sentences |= {kind: f" is a damaged {kind} file" for kind in _DECODED}
    sentences[_BASE64] = ' looks like base64; REST wants {"b64": ...}'
    refusals = [
        *sentences.values(),
        " is not a JPEG or PNG file",
        " is empty",
    ]
    refusals = tf.strings.join([name, tf.constant(refusals)])
    bounded = partial(within, max_pixels=max_pixels, name=name)
    background = how.known().background
    assert background is not None
    decoders = [partial(decode_jpeg, bounded=bounded), partial(decode_png, bounded=bounded, background=background)]
    if how.known().value_range != "full":
        decoders[1] = partial(refuse_deep, decode=decoders[1], name=name)

    def decode_row(index: tf.Tensor, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return index, *_decode(encoded, _recognize(encoded), refusals, image_size, decoders, how)

    def decode_all() -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.size(contents, tf.int64)
        rows = tf.data.Dataset.from_tensor_slices((tf.range(count), contents))
        rows = rows.map(decode_row, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        # Rows that raise errors are left out, which turns errors into sentences; one is appended that stands for them.
        damaged = tf.data.Dataset.from_tensors((count, tf.zeros([height, width, 3]), tf.constant("")))
        rows = rows.ignore_errors(log_warning=False).concatenate(damaged).batch(count + 1)
        indices, images, errors = rows.get_single_element()
        last = tf.size(indices) - 1
        places = tf.tensor_scatter_nd_update(tf.fill([count + 1], last), indices[:, tf.newaxis], tf.range(last + 1))
        places = places[:-1]

        def sentences() -> tf.Tensor:
            kinds = tf.map_fn(_recognize, contents, fn_output_signature=tf.int32)
            return tf.where(places == last, tf.gather(refusals, kinds), tf.gather(errors, places))

        # All in their places, as nearly always, or some left out.
        return tf.cond(
            tf.equal(tf.size(indices, tf.int64), count + 1),
            lambda: (images[:-1], errors[:-1]),
            lambda: (tf.gather(images, places), sentences()),
        )

    images, errors = tf.cond(
        tf.size(contents) > 0,
        decode_all,
        lambda: (tf.zeros([0, height, width, 3]), tf.zeros([0], tf.string)),
    )
    return tf.ensure_shape(images, [None, height, width, 3]), tf.ensure_shape(errors, [None])


def _recognize(encoded: tf.Tensor) -> tf.Tensor:
    """Index of the format in _SIGNATURES; one more for any other, two more for no bytes at all. Scalar int32."""

    def has(position: int, magic: bytes) -> tf.Tensor:
        start = tf.minimum(position, tf.strings.length(encoded))
        return tf.equal(tf.strings.substr(encoded, start, len(magic)), magic)

    recognized = [tf.reduce_any([has(*place) for place in places]) for places in _SIGNATURES.values()]
    kind = tf.argmax(tf.stack([*recognized, True]), output_type=tf.int32)
    return tf.where(tf.equal(encoded, b""), len(_SIGNATURES) + 1, kind)


def _decode(
    encoded: tf.Tensor,
    kind: tf.Tensor,
    refusals: tf.Tensor,
    image_size: tuple[int, int],
    decoders: Sequence[Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]],
    how: ImageConfig,
) -> tuple[tf.Tensor, tf.Tensor]:
    """One row; fails with any error at all if the file is damaged."""
    pixels, error = tf.switch_case(
        kind,
        [partial(decoder, encoded) for decoder in decoders],
        default=lambda: (tf.zeros([0, 0, 3], tf.uint8), tf.gather(refusals, kind)),
    )

    def to_array() -> tf.Tensor:
        fitted = tf.cast(fit(tf.ensure_shape(pixels, [None, None, 3]), image_size, how), tf.float32)
        # The same operations as `data.images.to_array`, so that both give the same bits.
        return fitted * (1 / 127.5) - 1

    return tf.cond(tf.equal(error, ""), to_array, lambda: tf.zeros([*image_size, 3])), error
