"""Pictures of many images side by side, with names on them."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stargan_tf.data.images import to_image

# Images smaller than this are enlarged, in whole steps and without smoothing, so that their pixels can be seen.
_MIN_SIDE = 64
_GAP = 4
_TITLE_HEIGHT = 20
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)


def latent_grid(sources: np.ndarray, translations: Mapping[str, np.ndarray]) -> Image.Image:
    """Draws sources by styles, one block a domain.

    Args:
        sources: [N, H, W, 3] in [-1, 1]; the top row of every block.
        translations: by domain name [S, N, H, W, 3]; one row a style.

    Returns:
        The picture.
    """
    blocks = [
        _titled(f"to {domain}: sources, then one style a row", [list(sources), *map(list, rows)])
        for domain, rows in translations.items()
    ]
    return _stack(blocks)


def reference_grid(
    sources: np.ndarray, references: Mapping[str, np.ndarray], translations: Mapping[str, np.ndarray]
) -> Image.Image:
    """Draws sources by references, one block a domain.

    Args:
        sources: [N, H, W, 3] in [-1, 1]; the top row of every block.
        references: by domain name [R, H, W, 3]; the left column of the block.
        translations: by domain name [R, N, H, W, 3].

    Returns:
        The picture.
    """
    blocks = [
        _titled(
            f"to {domain}: sources on top, references on the left",
            [
                [None, *sources],
                *([reference, *row] for reference, row in zip(references[domain], rows, strict=True)),
            ],
        )
        for domain, rows in translations.items()
    ]
    return _stack(blocks)


def _titled(title: str, rows: list[list[np.ndarray | None]]) -> Image.Image:
    """Draws rows of images under a title; None leaves a place empty."""
    height, width = rows[0][-1].shape[:2]
    zoom = max(1, -(-_MIN_SIDE // min(height, width)))
    height, width = height * zoom, width * zoom
    picture = Image.new(
        "RGB",
        (len(rows[0]) * (width + _GAP) + _GAP, len(rows) * (height + _GAP) + _GAP + _TITLE_HEIGHT),
        _BACKGROUND,
    )
    ImageDraw.Draw(picture).text((_GAP, _GAP), title, fill=_TEXT, font=ImageFont.load_default(13))
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            if image is not None:
                place = (_GAP + j * (width + _GAP), _TITLE_HEIGHT + _GAP + i * (height + _GAP))
                picture.paste(to_image(image).resize((width, height), Image.Resampling.NEAREST), place)
    return picture


def _stack(pictures: list[Image.Image]) -> Image.Image:
    """Puts pictures under each other."""
    stacked = Image.new("RGB", (max(p.width for p in pictures), sum(p.height + _GAP for p in pictures)), _BACKGROUND)
    top = 0
    for picture in pictures:
        stacked.paste(picture, (0, top))
        top += picture.height + _GAP
    return stacked
