"""The names by which people call the splits of a data set."""

import re
from typing import Literal

Split = Literal["train", "val", "test"]

_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_WORD = r"(training|train|validation|valid|val|testing|test)"
_SPLIT_FIRST = re.compile(rf"{_WORD}([\W_]*)([^\W_].*)", re.IGNORECASE)
_SPLIT_LAST = re.compile(rf"(.*[^\W_])[\W_]+{_WORD}", re.IGNORECASE)
_SUFFIX = re.compile(r"[\W_]*(set|split|data|images?)?$")  # train_set, Training-Images


def split_of(name: str) -> Split | None:
    """Tells which split a folder, a label of a column or a split of another library means.

    Args:
        name: its name, in any case: "Validation", "training_set" ...

    Returns:
        The split; None if the name is not one of the usual ones.
    """
    return _WORDS.get(_SUFFIX.sub("", name.strip().casefold()))


def split_joined(name: str) -> tuple[Split | None, str]:
    """Tells split and domain of a folder whose name joins both.

    Args:
        name: of the folder: CycleGAN's `trainA`; `train_cat` or `cat-train`; `train2017` of COCO.

    Returns:
        The split, and what else is in the name; None and the name if that joins nothing.
    """
    if split_of(name):
        return None, name
    if match := _SPLIT_LAST.fullmatch(name):
        return split_of(match[2]), match[1]
    if match := _SPLIT_FIRST.fullmatch(name):
        word, between, domain = match.groups()
        # A word goes on in "trainers".
        if between or domain[0].isdigit() or (domain[0].isupper() and not word.isupper()):
            return split_of(word), domain
    return None, name
