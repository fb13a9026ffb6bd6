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
_LONGEST_LABEL = 24  # letters; names of files may be much longer
_BACKGROUND = (255, 255, 255)
_TEXT = (32, 32, 32)

# Images of one size: float [H, W, 3] in [-1, 1], alone or in an array, or pictures.
Images = np.ndarray | Sequence[np.ndarray | Image.Image]


def latent_grid(
    sources: Images, translations: Mapping[str, Sequence[Images]], labels: Mapping[str, Sequence[str]]
) -> Image.Image:
    """Draws sources by styles, one block a domain.

    Args:
        sources: N; the top row of every block.
        translations: by domain name S rows of N, one row a style.
        labels: by domain name S texts that stand on the left of the rows, like `seed 3`.

    Returns:
        The picture.
    """
    blocks = [
        _titled(
            f"to {domain}: sources, then one style a row",
            [list(sources), *map(list, rows)],
            labels=["sources", *labels[domain]],
        )
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


def overview(
    sources: Images,
    translations: Mapping[str, Images],
    references: Mapping[str, Image.Image | np.ndarray] | None = None,
) -> Image.Image:
    """Draws sources and one translation into each domain, with letters that can be read where it is shown small.

    Args:
        sources: N; the top row.
        translations: by domain name N, one row a domain.
        references: by domain name what its row was taken from; shown on the left.

    Returns:
        The picture.
    """
    left = {domain: [] if references is None else [references[domain]] for domain in translations}
    corner = [] if references is None else [None]
    rows = [[*corner, *sources], *([*left[domain], *row] for domain, row in translations.items())]
    return _titled("", rows, labels=["sources", *(f"to {domain}" for domain in translations)], text_share=1 / 3)


def cycle_grid(
    rows: Mapping[str, Sequence[Images]], with_references: bool, labels: Mapping[str, Sequence[str]] | None = None
) -> Image.Image:
    """Draws what became of sources on the way to another domain and back, one block a domain.

    Args:
        rows: by domain name rows of source, reference if there are any, output and reconstruction.
        with_references: whether the rows have references.
        labels: by domain name texts that stand on the left of the rows.

    Returns:
        The picture.
    """
    columns = "source, reference, output, reconstruction" if with_references else "source, output, reconstruction"
    blocks = [
        _titled(f"to {domain}: {columns}", list(map(list, block)), labels=labels[domain] if labels else ())
        for domain, block in rows.items()
    ]
    return _stack(blocks)


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


def captioned_columns(columns: Mapping[str, Sequence[tuple[str, Images]]]) -> Image.Image:
    """Draws columns side by side, each of rows of images with a caption.

    Args:
        columns: by title rows of caption and images.

    Returns:
        The picture.
    """
    drawn = [
        _stack([_title(title), *(_titled(caption, [list(images)]) for caption, images in rows)])
        for title, rows in columns.items()
    ]
    beside = Image.new("RGB", (sum(column.width + _GAP for column in drawn), max(c.height for c in drawn)), _BACKGROUND)
    left = 0
    for column in drawn:
        beside.paste(column, (left, 0))
        left += column.width + _GAP
    return beside


def _title(text: str) -> Image.Image:
    """Draws a line of text."""
    line = Image.new("RGB", (int(fonts.length(text, _TITLE_SIZE)) + 1 + 2 * _GAP, _TITLE_HEIGHT), _BACKGROUND)
    fonts.draw(ImageDraw.Draw(line), (_GAP, _GAP), text, _TITLE_SIZE, _TEXT)
    return line


def _titled(
    title: str,
    rows: list[list[np.ndarray | Image.Image | None]],
    min_side: int = _MIN_SIDE,
    labels: Sequence[str] = (),
    text_share: float = 0,
) -> Image.Image:
    """Draws rows of images, with labels on their left, under a title, if there is one; None leaves a place empty.

    `text_share` is the size of the letters beside that of the images, where they are to grow with them.
    """
    pictures = [[to_image(image) if isinstance(image, np.ndarray) else image for image in row] for row in rows]
    last = pictures[0][-1]
    assert last is not None, "only the first place of a row may be empty"
    width, height = last.size
    zoom = max(1, -(-min_side // min(height, width)))
    height, width = height * zoom, width * zoom
    labels = [_shortened(label) for label in labels]
    text_size = max(_TITLE_SIZE, round(text_share * height))
    title_height = _TITLE_HEIGHT if title else 0
    left = _GAP + max((_width_of(label, text_size) + _GAP for label in labels), default=0)
    block = Image.new(
        "RGB",
        (
            max(left + len(rows[0]) * (width + _GAP), _width_of(title, _TITLE_SIZE) + 2 * _GAP),
            len(rows) * (height + _GAP) + _GAP + title_height,
        ),
        _BACKGROUND,
    )
    canvas = ImageDraw.Draw(block)
    fonts.draw(canvas, (_GAP, _GAP), title, _TITLE_SIZE, _TEXT)
    for i, row in enumerate(pictures):
        top = title_height + _GAP + i * (height + _GAP)
        if labels:
            fonts.draw(canvas, (_GAP, top + (height - text_size) // 2), labels[i], text_size, _TEXT)
        for j, picture in enumerate(row):
            if picture is not None:
                place = (left + j * (width + _GAP), top)
                block.paste(picture.resize((width, height), Image.Resampling.NEAREST), place)
    return block


def _width_of(text: str, size: int) -> int:
    return int(fonts.length(text, size)) + 1


def _shortened(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 3]}..."


def _stack(pictures: list[Image.Image]) -> Image.Image:
    """Puts pictures under each other."""
    stacked = Image.new("RGB", (max(p.width for p in pictures), sum(p.height + _GAP for p in pictures)), _BACKGROUND)
    top = 0
    for picture in pictures:
        stacked.paste(picture, (0, top))
        top += picture.height + _GAP
    return stacked
