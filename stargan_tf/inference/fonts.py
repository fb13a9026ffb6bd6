"""Text of any script in pictures: a font of Pillow, of Matplotlib or of the system that has its letters."""

import functools
import itertools
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import ImageDraw, ImageFont, features

from stargan_tf.base.writing import write_text

LIST_FILE = "domains.txt"

# Words in the names of files of fonts that are wanted last: titles are upright, of usual weight and width.
_UNUSUAL = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "condensed", "serif", "heavy", "medium")

# From the scripts of India to that of Myanmar, and that of Cambodia.
_STACKED = ((0x0900, 0x109F), (0x1780, 0x17FF))

_EASTERN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")

_told: set[str] = set()


def draw(canvas: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, fill: tuple[int, int, int]) -> None:
    """Draws a line of text.

    Args:
        canvas: to draw on.
        place: left and top.
        text: the line.
        size: of the letters, in pixels.
        fill: colour.
    """
    left, baseline = float(place[0]), place[1] + size  # the ascent of the small font
    for part, font in _parts(text, size):
        canvas.text((left, baseline), part, fill=fill, font=font, anchor="ls")
        left += font.getlength(part)


def length(text: str, size: int) -> float:
    """Returns how many pixels wide a line of text is."""
    return sum(font.getlength(part) for part, font in _parts(text, size))


def is_drawable(text: str) -> bool:
    """Returns whether there is a font for every letter."""
    return _is_plain(text) or all(_font_of(cluster) is not None for cluster in _clusters(text))


def titles(domains: Sequence[str], folder: Path | None = None) -> dict[str, str]:
    """Says what domains are called in pictures, and once, where it is not their name, what would bring a font.

    Args:
        domains: names, in their order.
        folder: where the pictures are; a list of the names is written beside them if they have numbers instead.

    Returns:
        By name the name, or `domain 2` where no font of this machine has its letters.
    """
    missing = [domain for domain in domains if not is_drawable(domain)]
    if not missing:
        return {domain: domain for domain in domains}
    shown = {domain: f"domain {n}" if domain in missing else domain for n, domain in enumerate(domains, 1)}
    if len(set(shown.values())) < len(shown):  # one is called so
        shown = {domain: f"domain {n}" for n, domain in enumerate(domains, 1)}
    listed = [f"{title}: {domain}" for domain, title in shown.items() if title != domain]
    if folder is not None:
        write_text(folder / LIST_FILE, "\n".join(listed) + "\n")
    note = f"note: no font here has the letters of {', '.join(missing)}; pictures say {', '.join(listed)}"
    if note not in _told:
        _told.add(note)
        clusters = [cluster for domain in missing for cluster in _clusters(domain) if _font_of(cluster) is None]
        packages = sorted({_package(cluster[0]) for cluster in clusters})
        print(f"{note}; on Debian and Ubuntu, `apt-get install {' '.join(packages)}` brings one", flush=True)
    return shown


def _is_plain(text: str) -> bool:
    """Returns whether the small font that comes with Pillow has all letters."""
    return text.isascii() and text.isprintable()


def _parts(text: str, size: int) -> Iterator[tuple[str, Any]]:
    """Yields the text in parts of one font each; boxes stand for letters that no font has."""
    if _is_plain(text):
        yield text, _opened(None, size)
        return
    fonts = [(cluster, _font_of(cluster) or _of_matplotlib()) for cluster in _clusters(text)]
    for path, group in itertools.groupby(fonts, key=lambda pair: pair[1]):
        part = "".join(cluster for cluster, _ in group)
        yield part, _opened(path, size)


@functools.cache
def _opened(path: str | None, size: int) -> Any:
    return ImageFont.load_default(size) if path is None else ImageFont.truetype(path, size)


def _clusters(text: str) -> list[str]:
    """Divides text into letters with the marks on them and what is joined to them."""
    clusters: list[str] = []
    for letter in text:
        is_mark = unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf")
        if clusters and (is_mark or clusters[-1].endswith("\u200d")):
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return clusters


@functools.cache
def _font_of(cluster: str) -> str | None:
    """Returns the path of a font that has all letters of a cluster, if there is one that Pillow can draw it with."""
    wanted = {ord(letter) for letter in cluster if unicodedata.category(letter) != "Cf" and not _is_selector(letter)}
    if _is_shaped(cluster) and not _shapes():
        return None
    return next((path for path in (_of_matplotlib(), *_of_system()) if wanted <= _letters(path)), None)


def _is_selector(letter: str) -> bool:
    return 0xFE00 <= ord(letter) <= 0xFE0F


def _is_shaped(cluster: str) -> bool:
    """Returns whether letters must be put in order, joined or stacked, which Pillow leaves to the library Raqm."""
    return any(
        unicodedata.bidirectional(letter) in ("R", "AL")
        or any(first <= ord(letter) <= last for first, last in _STACKED)
        for letter in cluster
    )


def _shapes() -> bool:
    return bool(features.check("raqm") and features.check("fribidi"))


@functools.cache
def _of_matplotlib() -> str:
    """The path of DejaVu Sans, which comes with Matplotlib: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.cache
def _of_system() -> list[str]:
    from matplotlib.font_manager import findSystemFonts

    def unusual(path: str) -> tuple[int, str]:
        name = Path(path).stem.lower()
        return sum(word in name.replace("sans-serif", "") for word in _UNUSUAL), path

    return sorted(findSystemFonts(), key=unusual)


@functools.cache
def _letters(path: str) -> frozenset[int]:
    """Returns the letters of a font that Pillow can draw at any size; none of another, or of a broken file."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    try:
        ImageFont.truetype(path, 13)
        with TTFont(path, lazy=True, fontNumber=0) as font:
            return frozenset(font.getBestCmap())
    except Exception:  # whatever FreeType and fontTools say of files that are no fonts
        return frozenset()


def _package(letter: str) -> str:
    """Returns the package of Debian and Ubuntu that lets a letter be drawn, a font but for FriBiDi."""
    if _is_shaped(letter) and not _shapes():
        return "libfribidi0"
    if unicodedata.name(letter, "").startswith(_EASTERN):
        return "fonts-noto-cjk"
    if unicodedata.category(letter) in ("So", "Sk"):
        return "fonts-symbola"
    return "fonts-noto-core"
