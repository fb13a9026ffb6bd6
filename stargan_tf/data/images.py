"""Images between bytes and arrays, by Pillow: the Beam job and the sampler go through here and see the same pixels."""

import importlib.util
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from stargan_tf.config.images import UNRECORDED, ImageConfig
from stargan_tf.data import png_chunks, tiff_strips
from stargan_tf.data.colour_profiles import is_srgb, to_srgb
from stargan_tf.data.refusals import UnreadableImage, explain, explain_known, signature
from stargan_tf.data.value_ranges import check_colours, find_limits, is_deep_grey, to_8_bits

Item = TypeVar("Item")

# The formats that are read; of the many others that Pillow knows, some start other programs (EPS does).
# HEIF (phones' .heic) where the package pillow-heif is installed.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")

# Files with other endings are not taken for images.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif"),
)

# Of images that have to be converted; most are smaller than that.
_PIXELS_AT_ONCE = 1 << 18

# How what is stored is turned upright, by the value of EXIF's orientation.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def image_files(folder: Path) -> Iterator[Path]:
    """Finds images by their endings, in a folder and its folders; hidden files and folders are left out.

    Args:
        folder: where to look; it may be missing.

    Yields:
        Paths that begin with `folder`, in no particular order.
    """
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES):
                yield Path(parent) / name


def open_image(data: bytes, formats: Sequence[str] = FORMATS) -> Image.Image:
    """Reads the header of an image; pixels are decoded later.

    Args:
        data: an encoded image.
        formats: Pillow's names of the formats that are read.

    Returns:
        The image as it is stored: `size` and `mode` are known.

    Raises:
        UnreadableImage: the bytes are not an image of one of `formats`, or its header is damaged.
    """
    Image.init()  # Or Pillow does not know the less common of these formats.
    if signature(data) == "HEIF" and "HEIF" not in Image.OPEN and importlib.util.find_spec("pillow_heif"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    formats = [name for name in formats if name in Image.OPEN]
    try:
        return Image.open(io.BytesIO(png_chunks.without_long_texts(data)), formats=formats)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... for bad files.
        raise explain(data, error) from error


def read_image(data: bytes, image_size: tuple[int, int], how: ImageConfig) -> Image.Image:
    """Turns an encoded image into what the network is to see, as the data job does.

    Args:
        data: an encoded image, of one of `FORMATS`; of an animation the first frame counts.
        image_size: height and width wanted, in pixels.
        how: the settings of the run, or of its exported model.

    Returns:
        An RGB image in sRGB of that size.

    Raises:
        UnreadableImage: the bytes are not an image, or not a whole one.
    """
    return fit_image(decode_image(data, how), image_size, how)


def decode_image(data: bytes, how: ImageConfig = UNRECORDED) -> Image.Image:
    """Decodes an image completely.

    Args:
        data: an encoded image, of one of `FORMATS`; of an animation the first frame counts.
        how: its background is what is seen through transparent pixels; by default white.

    Returns:
        An RGB image in sRGB, turned upright if EXIF says so.

    Raises:
        UnreadableImage: the bytes are not an image, or not a whole one.
    """
    return decode_opened(open_image(data), how)


def decode_opened(image: Image.Image, how: ImageConfig = UNRECORDED) -> Image.Image:
    """Decodes an image of which the header was read.

    Args:
        image: as from `open_image`; it is changed.
        how: as for `decode_image`.

    Returns:
        As `decode_image`.

    Raises:
        UnreadableImage: it is not whole.
    """
    known = how.known()
    assert known.value_range is not None
    try:
        check_colours(image, known.value_range)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            tiff_strips.check_whole(image)
        image.load()
        flat = _flatten(image, known)
        turn = _UPRIGHT.get(orientation(image))
        return flat if turn is None else flat.transpose(turn)
    except UnreadableImage:
        raise
    except Exception as error:  # As above.
        raise explain_known(image.format or "", error) from error


def _flatten(image: Image.Image, how: ImageConfig) -> Image.Image:
    """Makes RGB in sRGB of a loaded image, on the background; `image` itself if it is that already.

    A few rows after the other: what is in between takes up to 20 bytes a pixel.
    """
    assert how.value_range is not None
    limits = find_limits(image, how.value_range) if is_deep_grey(image) else None
    rows = max(1, _PIXELS_AT_ONCE // image.width)
    if rows >= image.height or (
        image.mode == "RGB" and not image.has_transparency_data and is_srgb(image.info.get("icc_profile"))
    ):
        return _flatten_rows(image, how, limits)
    flat = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        flat.paste(_flatten_rows(band, how, limits), (0, top))
    return flat


def _flatten_rows(image: Image.Image, how: ImageConfig, limits: tuple[float, float] | None) -> Image.Image:
    profile = image.info.get("icc_profile")
    if limits is not None:
        image = to_8_bits(image, limits)
    alpha = None
    if image.has_transparency_data:
        mixed = image.convert("RGBA")
        alpha = mixed.getchannel("A")
        # Grey stays grey, which its profile is made for.
        image = image.convert("L") if image.mode in ("1", "L", "LA", "La") else mixed
    image = to_srgb(image, profile)
    if alpha is None:
        return image
    seen_through = Image.new("RGB", image.size, how.background)
    image.putalpha(alpha)
    return Image.alpha_composite(seen_through.convert("RGBA"), image).convert("RGB")


def orientation(image: Image.Image) -> int:
    """Tells how an image is turned upright.

    Args:
        image: a loaded one; some formats tell it after the pixels.

    Returns:
        EXIF's value, 1 to 8; 1, which is upright, where there is none or it cannot be read: viewers show such images.
    """
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged metadata can make Pillow raise anything
        return 1
    return value if value in _UPRIGHT else 1


def fit_image(image: Image.Image, image_size: tuple[int, int], how: ImageConfig = UNRECORDED) -> Image.Image:
    """Crops the centre to the aspect ratio wanted, or pads or stretches, and resizes by Lanczos with antialiasing.

    Args:
        image: an RGB image.
        image_size: height and width wanted, in pixels.
        how: which of the three; by default the centre is cropped.

    Returns:
        An image of that size; `image` itself if it has that size.
    """
    height, width = image_size
    if image.size == (width, height):
        return image
    if how.fit == "stretch":
        return image.resize((width, height), Image.Resampling.LANCZOS)
    if how.fit == "pad":
        return _pad(image, image_size, how)
    crop_width, crop_height = _crop_size(image.size, image_size)
    left, top = (image.width - crop_width) / 2, (image.height - crop_height) / 2
    # A box with fractions, so that nothing is lost to rounding; clipped, since a sum of fractions may exceed the edge.
    box = (left, top, min(left + crop_width, image.width), min(top + crop_height, image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def unfit_image(image: Image.Image, size: tuple[int, int], how: ImageConfig) -> Image.Image:
    """Resizes what became of a fitted image by Lanczos to what was seen of the image before.

    Args:
        image: as `fit_image` gives it, changed but not in size.
        size: width and height of the image before.
        how: as for `fit_image`.

    Returns:
        Where it was stretched or padded, an image of that size, without the padding; where it was cropped, one of the
        size of the crop.
    """
    image_size = (image.height, image.width)
    if how.known().fit == "crop":
        crop_width, crop_height = _crop_size(size, image_size)
        return image.resize((max(1, round(crop_width)), max(1, round(crop_height))), Image.Resampling.LANCZOS)
    if how.fit == "pad":  # cut first: with `box`, Pillow mixes in what is beside it
        image = image.crop(_inner_box(size, image_size))
    return image.resize(size, Image.Resampling.LANCZOS)


def _crop_size(size: tuple[int, int], image_size: tuple[int, int]) -> tuple[float, float]:
    """Returns width and height of the largest part of an image, given by width and height, with another's aspect."""
    height, width = image_size
    scale = min(size[0] / width, size[1] / height)
    return scale * width, scale * height


def _pad(image: Image.Image, image_size: tuple[int, int], how: ImageConfig) -> Image.Image:
    left, top, right, bottom = _inner_box(image.size, image_size)
    inner = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", image_size[::-1], how.known().background)
    canvas.paste(inner, (left, top))
    return canvas


def _inner_box(size: tuple[int, int], image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Returns left, top, right and bottom of what is not padding around an image of some width and height."""
    height, width = image_size
    scale = min(width / size[0], height / size[1])
    inner_width = max(1, min(width, round(scale * size[0])))
    inner_height = max(1, min(height, round(scale * size[1])))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    return left, top, left + inner_width, top + inner_height


def to_array(image: Image.Image) -> np.ndarray:
    """Turns an image into what the networks take.

    Args:
        image: an RGB image.

    Returns:
        [height, width, 3] float32 in [-1, 1].
    """
    # A product, as in the input pipeline, and not a quotient: so both give the same bits.
    return np.asarray(image.convert("RGB"), np.float32) * np.float32(1 / 127.5) - np.float32(1)


def to_image(array: np.ndarray) -> Image.Image:
    """Turns what the networks give into an image.

    Args:
        array: [height, width, 3] in [-1, 1]; values beyond are clipped.

    Returns:
        An RGB image.
    """
    array = np.asarray(array, np.float32)
    return Image.fromarray(np.round((np.clip(array, -1, 1) + 1) * 127.5).astype(np.uint8))


def to_png(image: Image.Image) -> bytes:
    """Encodes an image as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def evenly_spread(items: Sequence[Item], count: int | None) -> list[Item]:
    """Takes `count` of the items, or all if there are fewer or it is None: evenly, since neighbours are often alike."""
    count = len(items) if count is None else min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]
