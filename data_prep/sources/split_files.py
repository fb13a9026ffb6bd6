"""Which files of a data set in several files are for training, and which for validation, by their names."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from data_prep.sources.split_names import Split, split_of
from stargan_tf.base.errors import UserError

# For images of which it does not matter what split they are of.
EVERY = "every"


def choose_subsets(
    paths: Iterable[str], place: str, val_split: str | None
) -> tuple[Mapping[str, str | None], Sequence[str]]:
    """Tells training from validation by the names of files, like `data/train-00000-of-00002.parquet`.

    Args:
        paths: of the files, relative to a folder.
        place: the folder, for messages.
        val_split: which split is the validation set, "val" or "test"; or "hash", which takes a share of training. By
            default "val" if there is one, else "hash". With `EVERY` all files are taken.

    Returns:
        By path "train", "val", or "" if a hash is to decide, None for a file that is left out; and sentences on it for
        the user.

    Raises:
        UserError: no file for training, none for the validation that is asked for, or a choice that is the user's.
    """
    named = {path: _split_in(path) for path in paths}
    there = {*named.values()} - {None}
    if not there or val_split == EVERY:
        if val_split in ("val", "test"):
            raise UserError(f"--val_split is {val_split}, and no file in {place} is called like a split")
        return dict.fromkeys(named, ""), ()
    if "train" not in there:
        raise UserError(
            f"{place} has files called {' and '.join(sorted(filter(None, there)))}, but none called train; a file "
            "that is to be taken whole can be named as the input"
        )
    if val_split in ("val", "test") and val_split not in there:
        raise UserError(f"--val_split is {val_split}, and no file in {place} is called like that split")
    if val_split is None and "test" in there and "val" not in there:
        raise UserError(
            f"{place} has files for training and for testing, but none for validation: --val_split test validates on "
            "those for testing, and --val_split hash leaves them out and takes a share of those for training "
            "(--val_fraction)"
        )
    val = val_split or ("val" if "val" in there else "hash")
    taken = taken_for(val)
    subsets = {path: taken.get(split) if split else None for path, split in named.items()}
    by_split = Counter(filter(None, named.values()))
    counts = [f"{count} called {split}" for split, count in sorted(by_split.items())]
    left_out = sum(1 for subset in subsets.values() if subset is None)
    note = f"of the files, {', '.join(counts)}; " + (
        "a share of training is validation" if val == "hash" else f"{val} is validation"
    )
    return subsets, (note + (f"; {left_out} left out" if left_out else ""),)


def taken_for(val_split: str) -> Mapping[str, str]:
    """Tells what splits are taken for.

    Args:
        val_split: the validation set, "val" or "test", or "hash".

    Returns:
        By split "train", "val", or "" if a hash is to decide; splits that are left out are missing.
    """
    return {"train": ""} if val_split == "hash" else {"train": "train", val_split: "val"}


def folder_without_split(path: str) -> str:
    """Returns the folder of a file, without those of its folders that are called like splits; "." if none is left."""
    return "/".join(name for name in path.split("/")[:-1] if not split_of(name)) or "."


def _split_in(path: str) -> Split | None:
    """The split that a file's name tells, or else the folder it is in."""
    for part in reversed(path.rpartition(".")[0].split("/")):
        for word in re.split(r"[^A-Za-z]+", part):
            if word and (split := split_of(word)):
                return split
    return None
