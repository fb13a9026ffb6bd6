"""ICC profiles: what the numbers of an image mean as colours. Networks see sRGB."""

import functools
import io

from PIL import Image, ImageCms

# The colour spaces of profiles, as ICC.1:2022 (7.2.6) names them, and the mode of images that have them.
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def is_srgb(profile: bytes | None) -> bool:
    """Tells whether pixels can be taken as they are.

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
        An RGB image; `image` itself if it is one already.
    """
    if profile and not is_srgb(profile):
        mode, _ = _open(profile)
        if mode == "RGB" and image.mode != "CMYK":
            return _transform(profile, "RGB").apply(image.convert("RGB"))
        if mode == image.mode:
            return _transform(profile, mode).apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@functools.lru_cache(maxsize=16)
def _open(profile: bytes) -> tuple[str, bool]:
    """Returns the mode of a profile's images, "" if it cannot be read, and whether pixels can be taken as they are."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        described = ImageCms.getProfileDescription(opened)
        mode = _MODES[opened.profile.xcolor_space]
        _transform(profile, mode)
    except (ImageCms.PyCMSError, OSError, KeyError):
        return "", True
    return mode, "srgb" in described.lower()


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
