"""A picture of aligned faces beside their sources, with landmarks, to check an alignment at a glance."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from stargan_tf.inference import fonts

MOST_FACES = 16

_COLUMNS = 4
_SIDE = 192  # of each of the two pictures of a face
_GAP = 6
_NAME_HEIGHT = 18
_NAME_LENGTH = 56  # characters that fit under two pictures
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)
_DOT = (0, 255, 64)
_DOT_RADIUS = 1.3


def entry(name: str, source: tuple[Image.Image, np.ndarray], aligned: tuple[Image.Image, np.ndarray]) -> Image.Image:
    """Draws one face.

    Args:
        name: written under it.
        source: picture and landmarks in its pixels [N, 2].
        aligned: the same after alignment.

    Returns:
        The picture, of the same size for each face.
    """
    drawn = Image.new("RGB", (2 * _SIDE + _GAP, _SIDE + _NAME_HEIGHT), _BACKGROUND)
    for index, (picture, landmarks) in enumerate((source, aligned)):
        fitted = _with_landmarks(picture, landmarks)
        left = index * (_SIDE + _GAP) + (_SIDE - fitted.width) // 2
        drawn.paste(fitted, (left, (_SIDE - fitted.height) // 2))
    if len(name) > _NAME_LENGTH:
        name = "..." + name[3 - _NAME_LENGTH :]
    fonts.draw(ImageDraw.Draw(drawn), (0, _SIDE + 2), name, 12, _TEXT)
    return drawn


def draw(entries: Sequence[Image.Image]) -> Image.Image:
    """Arranges faces in rows.

    Args:
        entries: pictures made by `entry`, at least one.

    Returns:
        The picture.
    """
    columns, rows = min(_COLUMNS, len(entries)), -(-len(entries) // _COLUMNS)
    # More room between two faces than between the two pictures of one.
    width, height = entries[0].width + 3 * _GAP, entries[0].height + _GAP
    picture = Image.new("RGB", (columns * width - _GAP, rows * height + _GAP), _BACKGROUND)
    for index, face in enumerate(entries):
        picture.paste(face, (_GAP + index % _COLUMNS * width, _GAP + index // _COLUMNS * height))
    return picture


def _with_landmarks(picture: Image.Image, landmarks: np.ndarray) -> Image.Image:
    """Resizes a picture to fit its place, and draws dots where the landmarks are."""
    scale = _SIDE / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    fitted = picture.resize(size, Image.Resampling.LANCZOS)
    canvas = ImageDraw.Draw(fitted)
    # Pillow counts from the centre of the first pixel.
    for x, y in landmarks * scale - 0.5:
        canvas.ellipse((x - _DOT_RADIUS, y - _DOT_RADIUS, x + _DOT_RADIUS, y + _DOT_RADIUS), fill=_DOT)
    return fitted
