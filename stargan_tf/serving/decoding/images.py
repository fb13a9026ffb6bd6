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

from functools import partial

import tensorflow as tf

from stargan_tf.serving.decoding.bmp import decode_bmp
from stargan_tf.serving.decoding.gif import decode_gif
from stargan_tf.serving.decoding.jpeg import decode_jpeg
from stargan_tf.serving.decoding.limits import Bounded, within
from stargan_tf.serving.decoding.png import decode_png
from stargan_tf.serving.decoding.resizing import fit

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")


def decode_images(
    contents: tf.Tensor, image_size: tuple[int, int], max_pixels: int, name: tf.Tensor | str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes images, turns them upright, shows transparency on white, crops the centre and resizes with antialiasing.

    A row that is refused leaves the others alone. Of an animation the first frame counts, and only that is decoded.

    Args:
        contents: [N] string, encoded JPEG, PNG, GIF or BMP; N may be 0.
        image_size: height and width wanted, in pixels.
        max_pixels: images whose header announces more are not decoded.
        name: what the sentences call the input, scalar string.

    Returns:
        Images, [N, height, width, 3] float32 in [-1, 1], zeros where refused; errors, [N] string, "" or one sentence.
    """
    height, width = image_size
    damaged = [f" is a damaged {kind} file" for kind in _FORMATS]
    refusals = tf.strings.join([name, tf.constant([*damaged, " is not a JPEG, PNG, GIF or BMP file", " is empty"])])

    def decode_row(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        kind = _recognize(encoded)
        # What a decoder's error is turned into: an error inside a dataset leaves it empty, and the next one takes over.
        decoded = tf.data.Dataset.from_tensors(encoded).map(
            lambda row: _decode(row, kind, refusals, image_size, partial(within, max_pixels=max_pixels, name=name))
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
    encoded: tf.Tensor, kind: tf.Tensor, refusals: tf.Tensor, image_size: tuple[int, int], bounded: Bounded
) -> tuple[tf.Tensor, tf.Tensor]:
    """One row; fails with any error at all if the file is damaged."""
    pixels, error = tf.switch_case(
        kind,
        [partial(decoder, encoded, bounded) for decoder in (decode_jpeg, decode_png, decode_gif, decode_bmp)],
        default=lambda: (tf.zeros([0, 0, 3], tf.uint8), tf.gather(refusals, kind)),
    )

    def to_array() -> tf.Tensor:
        fitted = tf.cast(fit(tf.ensure_shape(pixels, [None, None, 3]), image_size), tf.float32)
        # The same operations as `data.images.to_array`, so that both give the same bits.
        return fitted * (1 / 127.5) - 1

    return tf.cond(tf.equal(error, ""), to_array, lambda: tf.zeros([*image_size, 3])), error
