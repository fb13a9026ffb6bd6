"""Images of more than 8 bits: which of their values become black and white."""

import numpy as np
from PIL import Image

from stargan_tf.config.images import ValueRange
from stargan_tf.data.refusals import UnreadableImage

FULL = (0, 0xFFFF)


def is_deep(image: Image.Image) -> bool:
    """Tells whether an image has more than 8 bits a channel.

    Args:
        image: of which only the header was read: Pillow keeps 8 bits of colours and forgets the others.
    """
    return is_deep_grey(image) or any(";16" in str(tile) for tile in getattr(image, "tile", ()))


def is_deep_grey(image: Image.Image) -> bool:
    """Tells whether an image, loaded or not, has one channel of more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def check_colours(image: Image.Image, value_range: ValueRange) -> None:
    """Refuses colours of 16 bits where they would not be read as asked for.

    Args:
        image: of which only the header was read.
        value_range: what is asked for.

    Raises:
        UnreadableImage: they would not.
    """
    if value_range != "full" and is_deep(image) and not is_deep_grey(image):
        raise UnreadableImage(
            "its colours have 16 bits, which are read in their full range only, and the value range is "
            f"{in_words(value_range)}; save it with 8 bits",
            "unsupported",
        )


def find_limits(image: Image.Image, value_range: ValueRange) -> tuple[float, float]:
    """Finds the values of black and white.

    Args:
        image: of one channel of more than 8 bits.
        value_range: what is asked for: the full range of 16 bits, that of the image's own values, or a given one.

    Returns:
        Both values.

    Raises:
        UnreadableImage: the full range is asked for, and the image goes beyond 16 bits or has no range; or a value is
            no number.
    """
    advice = "; the data job's --value_range tells what is black and what is white"
    if value_range == "full" and image.mode == "F":
        raise UnreadableImage("its values are floating-point numbers, which have no full range" + advice, "unsupported")
    if isinstance(value_range, tuple):
        return value_range
    values = np.asarray(image)
    least, most = values.min(), values.max()
    if not np.isfinite(least) or not np.isfinite(most):
        raise UnreadableImage("some of its values are no numbers", "unsupported")
    if value_range == "file":
        return float(least), float(most)
    if least < FULL[0] or most > FULL[1]:
        raise UnreadableImage(f"its values, {least} to {most}, go beyond 16 bits" + advice, "unsupported")
    return FULL


def to_8_bits(image: Image.Image, limits: tuple[float, float]) -> Image.Image:
    """Scales values, which Pillow's own conversion clips to white.

    Args:
        image: of one channel of more than 8 bits.
        limits: the values of black and white; what lies beyond is clipped.

    Returns:
        An image of mode L, black if the limits are the same.
    """
    black, white = limits
    scale = 255 / (white - black) if white > black else 0.0
    levels = (np.asarray(image, np.float64).clip(black, white) - black) * scale
    return Image.fromarray(np.floor(levels + 0.5).astype(np.uint8))


def in_words(value_range: ValueRange) -> str:
    """Returns a range as it is written on the command line."""
    return value_range if isinstance(value_range, str) else "[{},{}]".format(*value_range)
