"""Images between bytes and arrays, by Pillow: the Beam job and the sampler go through here and see the same pixels."""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from stargan_tf.data.colour_profiles import to_srgb

Item = TypeVar("Item")

# The formats that are read; of the many others that Pillow knows, some start other programs (EPS does).
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")

# Files with other endings are not taken for images.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


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


class UnreadableImage(ValueError):
    """Bytes that cannot be decoded as an image; the message is the reason."""


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
    if not data:
        raise UnreadableImage("empty file")
    Image.init()  # Or Pillow does not know the less common of these formats.
    try:
        return Image.open(io.BytesIO(data), formats=tuple(formats))
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error ... for bad files.
        # Pillow's message for an unknown format names a BytesIO object, which tells nobody anything.
        reason = "not an image" if "cannot identify image file" in str(error) else str(error)
        raise UnreadableImage(reason or type(error).__name__) from error


def decode_image(data: bytes, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Decodes an image completely.

    Args:
        data: an encoded image, of one of `FORMATS`; of an animation the first frame counts.
        background: red, green and blue, 0 to 255, of what is seen through transparent pixels.

    Returns:
        An RGB image in sRGB, turned upright if EXIF says so.

    Raises:
        UnreadableImage: the bytes are not an image, or not a whole one.
    """
    return decode_opened(open_image(data), background)


def decode_opened(image: Image.Image, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Decodes an image of which the header was read.

    Args:
        image: as from `open_image`; it is changed.
        background: as for `decode_image`.

    Returns:
        As `decode_image`.

    Raises:
        UnreadableImage: it is not whole.
    """
    try:
        image.load()
        profile = image.info.get("icc_profile")
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith(("I", "F")):
            image = _to_8_bits(image)
        alpha = None
        if image.has_transparency_data:
            mixed = image.convert("RGBA")
            alpha = mixed.getchannel("A")
            # Grey stays grey, which its profile is made for.
            image = image.convert("L") if image.mode in ("1", "L", "LA", "La") else mixed
        image = to_srgb(image, profile)
        if alpha is None:
            return image
        seen_through = Image.new("RGB", image.size, background)
        image.putalpha(alpha)
        return Image.alpha_composite(seen_through.convert("RGBA"), image).convert("RGB")
    except Exception as error:  # As above.
        raise UnreadableImage(str(error) or type(error).__name__) from error


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scales grey of 16 bits, which Pillow's own conversion clips to white."""
    grey = np.asarray(image)
    if image.mode == "F" or grey.min(initial=0) < 0 or grey.max(initial=0) > 0xFFFF:
        raise ValueError(f"grey values of mode {image.mode} are not within 16 bits")
    return Image.fromarray(((grey.astype(np.uint32) + 128) // 257).astype(np.uint8))


def fit_image(image: Image.Image, image_size: tuple[int, int]) -> Image.Image:
    """Crops the centre to the aspect ratio wanted and resizes it with antialiasing.

    Args:
        image: an RGB image.
        image_size: height and width wanted, in pixels.

    Returns:
        An image of that size; `image` itself if it has that size.
    """
    height, width = image_size
    if image.size == (width, height):
        return image
    scale = min(image.width / width, image.height / height)
    crop_width, crop_height = scale * width, scale * height
    left, top = (image.width - crop_width) / 2, (image.height - crop_height) / 2
    # A box with fractions, so that nothing is lost to rounding; clipped, since a sum of fractions may exceed the edge.
    box = (left, top, min(left + crop_width, image.width), min(top + crop_height, image.height))
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


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
