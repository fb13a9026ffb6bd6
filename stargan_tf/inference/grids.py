"""Draws many images side by side under titles."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from stargan_tf.data.images import to_image
from stargan_tf.inference import fonts

# Images smaller than this are enlarged by a whole factor without smoothing, so that their pixels can be seen.
_MIN_SIDE = 64
_MIN_VIDEO_SIDE = 128
_GAP = 4
_TITLE_HEIGHT, _TITLE_SIZE = 20, 13
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)

# Images of one size: float [H, W, 3] in [-1, 1], alone or in an array, or pictures.
Images = np.ndarray | Sequence[np.ndarray | Image.Image]


def latent_grid(sources: Images, translations: Mapping[str, Sequence[Images]]) -> Image.Image:
    """Draws sources by styles, one block a domain.

    Args:
        sources: N; the top row of every block.
        translations: by domain name S rows of N, one row a style.

    Returns:
        The picture.
    """
    blocks = [
        _titled(f"to {domain}: sources, then one style a row", [list(sources), *map(list, rows)])
        for domain, rows in translations.items()
    ]
    return _stack(blocks)


def reference_grid(
    sources: Images, references: Mapping[str, Images], translations: Mapping[str, Sequence[Images]]
) -> Image.Image:
    """Draws sources by references, one block a domain.

    Args:
        sources: N; the top row of every block.
        references: by domain name R; the left column of the block.
        translations: by domain name R rows of N.

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


def cycle_grid(rows: Mapping[str, Sequence[Images]], with_references: bool) -> Image.Image:
    """Draws what became of sources on the way to another domain and back, one block a domain.

    Args:
        rows: by domain name rows of source, reference if there are any, output and reconstruction.
        with_references: whether the rows have references.

    Returns:
        The picture.
    """
    columns = "source, reference, output, reconstruction" if with_references else "source, output, reconstruction"
    return _stack([_titled(f"to {domain}: {columns}", list(map(list, block))) for domain, block in rows.items()])


def video_frame(
    sources: Images, rows: Mapping[str, Images], references: Mapping[str, Image.Image] | None = None
) -> Image.Image:
    """Draws one moment of a video: sources on top, and a row of translations for each title.

    Args:
        sources: N.
        rows: by title N translations.
        references: by title what is shown on the left of the row.

    Returns:
        The picture, of the same size for every moment.
    """
    left = {title: [] if references is None else [references[title]] for title in rows}
    corner = [] if references is None else [None]
    blocks = [_titled("sources", [[*corner, *sources]], _MIN_VIDEO_SIDE)]
    blocks += [_titled(title, [[*left[title], *row]], _MIN_VIDEO_SIDE) for title, row in rows.items()]
    return _stack(blocks)


def _titled(title: str, rows: list[list[np.ndarray | Image.Image | None]], min_side: int = _MIN_SIDE) -> Image.Image:
    """Draws rows of images under a title; None leaves a place empty."""
    pictures = [[to_image(image) if isinstance(image, np.ndarray) else image for image in row] for row in rows]
    last = pictures[0][-1]
    assert last is not None, "only the first place of a row may be empty"
    width, height = last.size
    zoom = max(1, -(-min_side // min(height, width)))
    height, width = height * zoom, width * zoom
    block = Image.new(
        "RGB",
        (
            max(len(rows[0]) * (width + _GAP) + _GAP, int(fonts.length(title, _TITLE_SIZE)) + 1 + 2 * _GAP),
            len(rows) * (height + _GAP) + _GAP + _TITLE_HEIGHT,
        ),
        _BACKGROUND,
    )
    fonts.draw(ImageDraw.Draw(block), (_GAP, _GAP), title, _TITLE_SIZE, _TEXT)
    for i, row in enumerate(pictures):
        for j, picture in enumerate(row):
            if picture is not None:
                place = (_GAP + j * (width + _GAP), _TITLE_HEIGHT + _GAP + i * (height + _GAP))
                block.paste(picture.resize((width, height), Image.Resampling.NEAREST), place)
    return block


def _stack(pictures: list[Image.Image]) -> Image.Image:
    """Puts pictures under each other."""
    stacked = Image.new("RGB", (max(p.width for p in pictures), sum(p.height + _GAP for p in pictures)), _BACKGROUND)
    top = 0
    for picture in pictures:
        stacked.paste(picture, (0, top))
        top += picture.height + _GAP
    return stacked
