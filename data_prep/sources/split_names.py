"""The names by which people call the splits of a data set."""

import re
from typing import Literal

Split = Literal["train", "val", "test"]

_WORDS: dict[str, Split] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_SUFFIX = re.compile(r"[\W_]*(set|split|data|images?)?$")  # train_set, Training-Images


def split_of(name: str) -> Split | None:
    """Tells which split a folder, a label of a column or a split of another library means.

    Args:
        name: its name, in any case: "Validation", "training_set" ...

    Returns:
        The split; None if the name is not one of the usual ones.
    """
    return _WORDS.get(_SUFFIX.sub("", name.strip().casefold()))
