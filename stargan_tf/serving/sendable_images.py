"""Images as they are sent to a served model, whose graph decodes JPEG and PNG: other formats become PNG before."""

from stargan_tf.config import ImageConfig
from stargan_tf.data import images
from stargan_tf.data.images import UnreadableImage

# What the graph decodes, by the bytes that files begin with.
_DECODED_BY_GRAPH = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")


def is_sendable(data: bytes) -> bool:
    """Tells whether a served model decodes an image, or refuses it in its own words because there are no bytes."""
    return not data or data.startswith(_DECODED_BY_GRAPH)


def as_png(data: bytes, how: ImageConfig, max_pixels: int | None = None) -> bytes:
    """Turns an image of another format into PNG.

    Args:
        data: an encoded image: WebP, AVIF, HEIC, BMP, GIF or TIFF; the first frame of an animation counts.
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
    return images.to_png(images.decode_opened(image, how))
