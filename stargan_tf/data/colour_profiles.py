"""ICC profiles: what the numbers of an image mean as colours. Networks see sRGB."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

# The colour spaces of profiles, as ICC.1:2022 (7.2.6) names them, and the mode of images that have them.
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}

# Of 255. The many profiles that hold sRGB, with curves of 26 to 4096 points, differ by at most this; the nearest
# others, Rec. 709 and gamma 2.2 with the primaries of sRGB, by more than 10.
SRGB_TOLERANCE = 1

# Looked at to tell what a profile does: all greys, and a cube of colours.
_GREYS = np.arange(256, dtype=np.uint8)
_LEVELS = np.linspace(0, 255, 16).astype(np.uint8)
SAMPLE_COLOURS = np.concatenate(
    [np.stack([_GREYS] * 3, axis=-1), np.stack(np.meshgrid(*[_LEVELS] * 3), axis=-1).reshape(-1, 3)]
)


def is_srgb(profile: bytes | None) -> bool:
    """Tells whether pixels can be taken as they are, by what a profile does to colours, whatever its name is.

    Args:
        profile: an ICC profile, or None.

    Returns:
        Whether it is that of sRGB, or missing, or so damaged that it means nothing.
    """
    return not profile or _open(profile)[1]


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Converts the colours of an image.

    Args:
        image: of any mode with 8 bits a channel; alpha is dropped.
        profile: its ICC profile, or None. One that is damaged or made for another kind of image is ignored, as browsers
            do.

    Returns:
        An RGB image; `image` itself if it is one already. It carries no profile, which Pillow would write into files,
        but its own where that is of sRGB.
    """
    mode, is_same = _open(profile) if profile else ("", True)
    holds = mode == image.mode or (mode == "RGB" and image.mode != "CMYK")
    if holds and not is_same:
        converted = _transform(profile, mode).apply(image.convert(mode))
        # That of sRGB, which is meant without it; it holds the time, by which files of the same image would differ.
        converted.info.pop("icc_profile", None)
        return converted
    if mode != "RGB" or not holds:
        image.info.pop("icc_profile", None)
    return image if image.mode == "RGB" else image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _open(profile: bytes) -> tuple[str, bool]:
    """Returns the mode of a profile's images, "" if it cannot be read, and whether pixels can be taken as they are."""
    try:
        mode = _MODES[ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space]
        _transform(profile, mode)
    except (ImageCms.PyCMSError, OSError, KeyError, UnicodeDecodeError):
        return "", True
    return mode, mode != "CMYK" and _keeps_colours(profile, mode)


def _keeps_colours(profile: bytes, mode: str) -> bool:
    colours = SAMPLE_COLOURS if mode == "RGB" else SAMPLE_COLOURS[:256]
    samples = Image.fromarray(colours[np.newaxis]).convert(mode)
    # ICC's own profile of sRGB with tables is exact in its colorimetric one, and moves colours in its perceptual one.
    for intent in (ImageCms.Intent.PERCEPTUAL, ImageCms.Intent.RELATIVE_COLORIMETRIC):
        converted = np.asarray(_transform(profile, mode, intent).apply(samples))[0]
        if np.abs(converted.astype(np.int16) - colours).max() <= SRGB_TOLERANCE:
            return True
    return False


@functools.lru_cache(maxsize=16)
def _transform(
    profile: bytes, mode: str, intent: ImageCms.Intent = ImageCms.Intent.PERCEPTUAL
) -> ImageCms.ImageCmsTransform:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB", renderingIntent=intent)
