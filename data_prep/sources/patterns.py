"""Several files by one name: `shards/{000..127}.tar`, `shards/*.parquet`."""

import glob
import itertools
import re
from collections.abc import Iterator, Sequence

from stargan_tf.base import files
from stargan_tf.base.errors import UserError

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 100_000  # files


def is_pattern(place: str) -> bool:
    """Returns whether a name stands for several files."""
    return any(character in place for character in "{*?[")


def expand(pattern: str) -> list[str]:
    """Finds the files that a name stands for.

    Args:
        pattern: a path with braces, `{a,b}` or `{000..127}`, as shells have them, or with `*` and `?`.

    Returns:
        Paths: those of braces in their order, those of `*` and `?` sorted.

    Raises:
        UserError: there is none, one of those that braces name is missing, or there are too many.
    """
    places = [*itertools.islice(_expand_braces(pattern), _MOST + 1)]
    if len(places) > _MOST:
        raise UserError(f"--input {pattern} stands for more than {_MOST:,} files")
    found = [path for place in places for path in (files.match(place) if glob.has_magic(place) else [place])]
    if not found:
        raise UserError(f"--input {pattern} fits no file")
    if missing := next((path for path in found if not files.exists(path)), None):
        raise UserError(f"--input {pattern} stands for {missing} too, which does not exist")
    return list(dict.fromkeys(found))


def split_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Finds the folder that all files are in; returns it, and their paths relative to it."""
    parts = [path.split("/") for path in paths]
    shared = sum(1 for _ in itertools.takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False)))
    shared = min(shared, len(parts[0]) - 1)
    folder = "/".join(parts[0][:shared]) or ("/" if paths[0].startswith("/") else ".")
    return folder, ["/".join(names[shared:]) for names in parts]


def _expand_braces(pattern: str) -> Iterator[str]:
    match = _BRACES.search(pattern)
    if not match:
        yield pattern
        return
    if numbers := _RANGE.fullmatch(match[1]):
        first, last = map(int, numbers.groups())
        step, width = 1 if first <= last else -1, len(numbers[1]) if numbers[1].startswith("0") else 0
        parts: Iterator[str] = (f"{number:0{width}d}" for number in range(first, last + step, step))
    else:
        parts = iter(match[1].split(","))
    for part in parts:
        yield from _expand_braces(pattern[: match.start()] + part + pattern[match.end() :])
