"""File names made of words that come from outside: of domains, of images."""

import hashlib
import itertools
import os
import unicodedata
from collections.abc import Iterable

# Bytes: file systems allow 255, of which numbers, endings and the names of incomplete files need some.
LONGEST = 200

_HASH_DIGITS = 8


def file_name(text: str) -> str:
    """Makes a file name that any file system takes, equal to the text where that is one.

    Args:
        text: any.

    Returns:
        The text with `_` for separators of paths and unprintable characters, and before a name that would be hidden;
        a long one is cut, and ends in a hash of the whole.
    """
    name = "".join("_" if letter in "/\\" or unicodedata.category(letter) == "Cc" else letter for letter in text)
    if not name or name.startswith("."):
        name = f"_{name}"
    if len(os.fsencode(name)) > LONGEST:
        ending = "~" + hashlib.sha256(os.fsencode(text)).hexdigest()[:_HASH_DIGITS]
        while len(os.fsencode(name + ending)) > LONGEST:
            name = name[:-1]
        name += ending
    return name


def file_names(texts: Iterable[str]) -> dict[str, str]:
    """Makes a file name for each of several texts, as `file_name` does, and no two that would be the same file.

    Args:
        texts: any; of equal ones the first counts.

    Returns:
        By text its name. Where names would meet, also on a file system that takes upper and lower case for the same,
        later ones end in a number.
    """
    different = dict.fromkeys(texts)
    return dict(zip(different, numbered(map(file_name, different)), strict=True))


def numbered(names: Iterable[str]) -> list[str]:
    """Returns names, or paths, in this order; one that would be the same file as one before it ends in a number."""
    free: list[str] = []
    taken: set[str] = set()
    for name in names:
        numbers = itertools.count(2)
        new = name
        while same_file(new) in taken:
            new = f"{name}-{next(numbers)}"
        taken.add(same_file(new))
        free.append(new)
    return free


def same_file(name: str) -> str:
    """Returns what is equal for names that some file system takes for the same: whatever case, however composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
