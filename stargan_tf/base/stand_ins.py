"""Local folders that stand for places of a store: what is told names the place, which the user knows."""

from pathlib import Path

_PLACES: dict[str, str] = {}


def add(folder: Path, place: str) -> None:
    """Notes that a folder stands for a place of a store."""
    _PLACES[str(folder)] = place


def told(text: object) -> str:
    """Returns a text in which the places stand instead of the folders."""
    words = str(text)
    for folder, place in _PLACES.items():
        words = words.replace(folder, place)
    return words
