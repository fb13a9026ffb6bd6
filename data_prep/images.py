"""From the bytes of any image to the bytes that are stored."""

import io
from typing import Literal

from PIL import Image

from stargan_tf.data.images import decode_image, fit_image

Encoding = Literal["jpeg", "png"]

_JPEG_QUALITY = 95
_EXIF_ORIENTATION = 0x0112
_PNG_BIT_DEPTH_OFFSET = 24  # Signature 8, chunk length 4, chunk type 4, width 4, height 4.


def prepare_image(data: bytes, image_size: tuple[int, int], encoding: Encoding) -> bytes:
    """Makes the bytes to store of one image.

    Args:
        data: an encoded image.
        image_size: height and width to store, in pixels.
        encoding: how to encode an image that had to be changed; one that fits already is stored byte for byte.

    Returns:
        A JPEG or PNG file of that size, 8-bit RGB.

    Raises:
        UnreadableImage: the bytes are not an image, or not a whole one.
    """
    image = decode_image(data)  # Also where the bytes are kept: only this shows that the file is whole.
    if _fits(data, image_size):
        return data
    image = fit_image(image, image_size)
    encoded = io.BytesIO()
    if encoding == "jpeg":
        image.save(encoded, "JPEG", quality=_JPEG_QUALITY)
    else:
        image.save(encoded, "PNG")
    return encoded.getvalue()


def _fits(data: bytes, image_size: tuple[int, int]) -> bool:
    """Whether any reader sees in these bytes just the pixels that `decode_image` gives, in the size wanted."""
    with Image.open(io.BytesIO(data)) as image:
        height, width = image_size
        if image.size != (width, height) or image.mode != "RGB" or image.has_transparency_data:
            return False
        if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
            return False
        if image.format == "PNG":
            # Pillow calls 16-bit colours RGB too; and of an animation TensorFlow may see more than the first frame.
            return data[_PNG_BIT_DEPTH_OFFSET] == 8 and not getattr(image, "is_animated", False)
        return image.format == "JPEG"
