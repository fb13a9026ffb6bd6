"""From the bytes of any image to the bytes that are stored."""

import io
import re
import warnings
from dataclasses import dataclass, fields
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from stargan_tf.base.ranges import JpegQuality, PositiveInt
from stargan_tf.config.images import Fit, ImageConfig, ValueRange
from stargan_tf.data.colour_profiles import is_srgb
from stargan_tf.data.decoding import decode_image_file
from stargan_tf.data.images import decode_opened, fit_image, open_image, orientation
from stargan_tf.data.png_chunks import is_intact
from stargan_tf.data.refusals import UnreadableImage
from stargan_tf.data.value_ranges import is_deep, is_deep_grey

# Not WebP: TensorFlow 2.21 decodes it as an animation of rank 4, which TensorFlow Datasets does not read.
Encoding = Literal["jpeg", "png", "raw"]
Reason = Literal[
    "unreadable_file",
    "too_many_bytes",
    "empty",
    "not_an_image",
    "unsupported",
    "too_many_pixels",
    "too_small",
    "damaged",
]

# Of an image with more, Pillow does not even read the header.
assert Image.MAX_IMAGE_PIXELS is not None
MOST_PIXELS = 2 * Image.MAX_IMAGE_PIXELS

# Two decoders of JPEG may round differently.
_MOST_DIFFERENCE = 2

_PNG_BIT_DEPTH_OFFSET = 24  # Signature 8, chunk length 4, chunk type 4, width 4, height 4.

# The luminance table of JPEG's Annex K, in zigzag order as Pillow gives tables; encoders scale it by the quality.
_LUMINANCE_SUM = 3688

warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Refused here, with a reason.


class RejectedImage(ValueError):
    """An image that is not stored.

    Attributes:
        reason: one of `Reason`.
        args: what exactly is wrong.
    """

    def __init__(self, reason: Reason, error: str):
        super().__init__(error)
        self.reason = reason


@dataclass(frozen=True)
class StorageSettings:
    """Which images are taken, and how they are stored.

    Args:
        encoding: of images that have to be changed, jpeg or png, while those that fit are stored as they are; or raw,
            which stores all as pixels: more disk, and no decoding in training.
        quality: of JPEG, 1 to 95.
        fit: crop the centre to the aspect ratio wanted, pad with the background, or stretch.
        value_range: what becomes black and white of images of more than 8 bits: 0 and 65535 (full), the least and the
            greatest value of each file (file), or two values, [0,4095] for 12 bits.
        min_side: the least pixels of the shorter side; smaller images are rejected.
        max_pixels: the most pixels of an image; larger ones are rejected before they are decoded. What a worker needs
            for one image grows with it: up to 19 bytes a pixel (WebP with transparency), 10 of PNG with transparency,
            4 of plain JPEG; by default what 1 GB holds.
        max_bytes: the most bytes of a file; larger ones are rejected.
    """

    encoding: Encoding = "jpeg"
    quality: JpegQuality = 95
    fit: Fit = "crop"
    value_range: ValueRange = "full"
    min_side: PositiveInt = 1
    max_pixels: PositiveInt = 53_000_000
    max_bytes: PositiveInt = 268_435_456


@dataclass(frozen=True, kw_only=True)
class ImageOptions(StorageSettings):
    """How images are checked and stored, with what was asked for resolved.

    Args:
        image_size: height and width to store, in pixels.
        background: red, green and blue, 0 to 255, behind transparent pixels and around padded images.
    """

    image_size: tuple[int, int]
    background: tuple[int, int, int] = (255, 255, 255)

    @property
    def image_config(self) -> ImageConfig:
        """What travels with the data to whoever uses a model that is trained on them."""
        return ImageConfig(**{field.name: getattr(self, field.name) for field in fields(ImageConfig)})


@dataclass(frozen=True)
class PreparedImage:
    """An image as it is stored, and what it was before.

    Args:
        data: the bytes to store.
        image: the same, decoded: RGB, of the size wanted.
        kept: whether the bytes are those of the source.
        source_format: JPEG, PNG ...
        source_mode: Pillow's name for the kind of its pixels: RGB, L, P, CMYK ...
        source_size: its height and width as stored, in pixels.
        source_quality: estimated quality of a JPEG, 1 to 100; None for other formats.
        source_values: the least and the greatest value, if it has 16 bits.
    """

    data: bytes
    image: Image.Image
    kept: bool
    source_format: str
    source_mode: str
    source_size: tuple[int, int]
    source_quality: int | None
    source_values: tuple[int, int] | None = None


def check_header(data: bytes, options: ImageOptions) -> Image.Image:
    """Refuses what can be refused before pixels are decoded.

    Args:
        data: what should be an encoded image.
        options: the limits.

    Returns:
        The image, of which only the header was read.

    Raises:
        RejectedImage: empty, not an image, too small, or more pixels than allowed.
    """
    if not data:
        raise RejectedImage("empty", "the file has no bytes")
    try:
        image = open_image(data)
    except UnreadableImage as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            # More than any --max_pixels; Pillow tells how many.
            pixels = "".join(re.findall(r"\((\d+) pixels\)", str(error.__cause__))[:1])
            raise RejectedImage("too_many_pixels", _too_many(f"{pixels} pixels", options)) from error
        raise RejectedImage(error.kind, str(error)) from error
    if image.width * image.height > options.max_pixels:
        raise RejectedImage("too_many_pixels", _too_many(f"{image.width} x {image.height} pixels", options))
    if min(image.size) < options.min_side:
        raise RejectedImage("too_small", f"{image.width} x {image.height} pixels; the least side is {options.min_side}")
    return image


def _too_many(pixels: str, options: ImageOptions) -> str:
    return f"{pixels} are more than --max_pixels {options.max_pixels} allows"


def prepare_image(data: bytes, options: ImageOptions) -> PreparedImage:
    """Makes the bytes to store of one image.

    Args:
        data: an encoded image.
        options: what is wanted.

    Returns:
        A JPEG or PNG file, or pixels row by row, of the size wanted, 8-bit RGB.

    Raises:
        RejectedImage: as `check_header`, or the image is damaged.
    """
    opened = check_header(data, options)
    try:
        # Before it is decoded, which may turn it upright.
        source_format, mode, size = opened.format or "", opened.mode, (opened.height, opened.width)
        quality, deep = _jpeg_quality(opened), is_deep(opened)
        # Also where the bytes are kept: only this shows that the file is whole.
        image = decode_opened(opened, options.image_config)
        values = _find_values(opened) if deep else None
        # The former after it was loaded: some formats tell after the pixels how they are meant.
        kept = options.encoding != "raw" and _fits(opened, data, options.image_size) and _is_read_as(image, data)
    except UnreadableImage as error:
        raise RejectedImage(error.kind, str(error)) from error
    except Exception as error:  # Damaged metadata can make Pillow raise anything.
        raise RejectedImage("damaged", str(error) or type(error).__name__) from error
    image = fit_image(image, options.image_size, options.image_config)
    stored = data if kept else _encode(image, options)
    return PreparedImage(stored, image, kept, source_format, mode, size, quality, values)


def _fits(opened: Image.Image, data: bytes, image_size: tuple[int, int]) -> bool:
    """Whether a loaded image means just the pixels that it has, and has the size wanted."""
    height, width = image_size
    if opened.size != (width, height) or opened.mode != "RGB" or opened.has_transparency_data:
        return False
    if orientation(opened) != 1 or not is_srgb(opened.info.get("icc_profile")):
        return False
    if opened.format == "PNG":
        # Pillow calls 16-bit colours RGB too; and of an animation TensorFlow may see more than the first frame.
        # Without its end, or with a wrong checksum, Pillow reads a file that others refuse.
        return data[_PNG_BIT_DEPTH_OFFSET] == 8 and not getattr(opened, "is_animated", False) and is_intact(data)
    return opened.format == "JPEG"


def _find_values(opened: Image.Image) -> tuple[int, int] | None:
    """The least and the greatest value of a loaded image of 16 bits."""
    values = np.asarray(opened)
    if values.dtype.kind == "f":
        return None
    # Of colours Pillow keeps the upper 8 bits.
    scale = 1 if is_deep_grey(opened) else 257
    return scale * int(values.min()), scale * int(values.max())


def _is_read_as(image: Image.Image, data: bytes) -> bool:
    """Whether training will see this image in these bytes: it has another decoder."""
    pixels = decode_image_file(data)
    if pixels is None or pixels.shape != (image.height, image.width, 3):
        return False
    return int(cv2.absdiff(pixels, np.asarray(image)).max()) <= _MOST_DIFFERENCE


def _encode(image: Image.Image, options: ImageOptions) -> bytes:
    if options.encoding == "raw":
        return image.tobytes()
    encoded = io.BytesIO()
    if options.encoding == "jpeg":
        image.save(encoded, "JPEG", quality=options.quality)
    else:
        image.save(encoded, "PNG")
    return encoded.getvalue()


def _jpeg_quality(header: Image.Image) -> int | None:
    """Estimates with which quality a JPEG was written, from how far its luminance table is scaled.

    The scale is 2 - quality / 50 from 50 on, and 50 / quality below (as libjpeg's jpeg_quality_scaling has it).
    """
    tables = getattr(header, "quantization", None)
    if not tables:
        return None
    scale = sum(next(iter(tables.values()))) / _LUMINANCE_SUM
    return max(1, min(100, round(100 - 50 * scale if scale <= 1 else 50 / scale)))
