"""Images as they are sent to a served model, whose graph decodes JPEG and PNG and follows some colour profiles.

Images of other formats and with other profiles become PNG in sRGB before.
"""

import warnings

from PIL import Image

from stargan_tf.config import ImageConfig
from stargan_tf.config.images import UNRECORDED
from stargan_tf.data import images
from stargan_tf.data.images import UnreadableImage
from stargan_tf.data.refusals import signature
from stargan_tf.data.value_ranges import is_deep
from stargan_tf.serving.matrix_profiles import is_followed

# How JPEG, PNG, GIF, WebP and TIFF begin in base64, by its two alphabets and as the address of a web page.
BASE64 = (b"/9j/", b"_9j_", b"iVBORw0K", b"R0lGOD", b"UklGR", b"SUkq", b"TU0AK", b"data:image/")

_DECODED_BY_GRAPH = ("JPEG", "PNG")

# Of a profile in a PNG; the graph does not unfold longer ones.
_MAX_PROFILE = 60_000

_CHANNELS = {"1": 1, "L": 1, "LA": 1, "I": 1, "I;16": 1, "CMYK": 4}


def is_sendable(data: bytes, how: ImageConfig = UNRECORDED) -> bool:
    """Tells whether an image can be sent as it is, to be decoded by the served model or refused in its own words.

    Args:
        data: an encoded image.
        how: the model's; where it does not take the full range of 16 bits, the graph refuses these.

    Returns:
        Whether it is a JPEG or PNG without a colour profile that the graph would not follow; or empty, or damaged.
    """
    if not data:
        return True
    if signature(data) not in _DECODED_BY_GRAPH:
        return False
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            header = images.open_image(data, _DECODED_BY_GRAPH)
    except UnreadableImage:
        return True
    if how.known().value_range != "full" and is_deep(header):
        return False
    profile = header.info.get("icc_profile")
    if not profile:
        return True
    if (header.format == "PNG" and len(profile) > _MAX_PROFILE) or _has_a_part_twice(header):
        return False
    return is_followed(profile, _CHANNELS.get(header.mode, 3))


def _has_a_part_twice(header: Image.Image) -> bool:
    """Whether two segments of a JPEG are the same part of its profile, so that it is not sure what the profile is."""
    contents = [content for marker, content in getattr(header, "applist", []) if marker == "APP2"]
    numbers = [content[12:13] for content in contents if content.startswith(b"ICC_PROFILE\0")]
    return len(set(numbers)) < len(numbers)


def as_png(data: bytes, how: ImageConfig, max_pixels: int | None = None) -> bytes:
    """Turns an image into PNG.

    Args:
        data: an encoded image: JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF or TIFF; the first frame of an animation counts.
        how: its background is what is seen through transparent pixels.
        max_pixels: images whose header announces more are refused before they are decoded; by default Pillow's limit.

    Returns:
        The image as PNG: upright, in sRGB, transparency on the background.

    Raises:
        UnreadableImage: the bytes are not an image of one of these formats, not a whole one, or too large.
    """
    image = images.open_image(data)
    if max_pixels is not None and image.width * image.height > max_pixels:
        raise UnreadableImage(f"it has {image.width} x {image.height} pixels; at most {max_pixels} pixels are taken")
    decoded = images.decode_opened(image, how)
    decoded.info.pop("icc_profile", None)  # that of sRGB by now, which the graph would only read in vain
    return images.to_png(decoded)
