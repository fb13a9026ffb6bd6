"""The files of a run's checkpoints: which exist, which are damaged, which to delete."""

import functools
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stargan_tf.base import stand_ins, writing
from stargan_tf.base.errors import UserError

DIRECTORY = "checkpoints"
PREFIX = "step"

_INDEX = re.compile(rf"{PREFIX}-(\d+)\.index")
_DAMAGED = "damaged-"


def path_of(run: Path, step: int) -> Path:
    """Returns the path of a step's checkpoint as TensorFlow takes it: without the suffixes of its files."""
    return run / DIRECTORY / f"{PREFIX}-{step}"


def step_of(path: Path) -> int:
    """Returns the step of a checkpoint by its path, as `path_of` gives it."""
    return int(path.name.removeprefix(f"{PREFIX}-"))


def saved_steps(run: Path) -> list[int]:
    """Returns the steps that have checkpoints, whole or damaged, newest first."""
    found = (_INDEX.fullmatch(path.name) for path in (run / DIRECTORY).glob(f"{PREFIX}-*.index"))
    return sorted((int(match[1]) for match in found if match), reverse=True)


def find_latest(run: Path) -> Path | None:
    """Returns the path of a run's newest checkpoint that can be read, or None if it has no checkpoint.

    Damaged ones are passed over, with a note on standard error.

    Raises:
        UserError: the run has checkpoints, but all are damaged.
    """
    steps = saved_steps(run)
    for step in steps:
        path = path_of(run, step)
        problem = find_damage(path)
        if problem is None:
            return path
        _tell_once(f"the checkpoint {str(path)!r} is damaged ({problem}) and passed over")
    if steps:
        raise UserError(f"all checkpoints of the run {str(run)!r} are damaged (steps {', '.join(map(str, steps))})")
    return None


def latest(run: Path) -> Path:
    """Returns the path of a run's newest checkpoint that can be read.

    Raises:
        UserError: the run has no checkpoint, or only damaged ones.
    """
    check_some(run)
    path = find_latest(run)
    assert path is not None, "with checkpoints, there is one or an error"
    return path


def check_some(run: Path) -> None:
    """Raises UserError if a run has no checkpoint at all."""
    if not saved_steps(run):
        raise UserError(f"the run {str(run)!r} has no checkpoint yet; train it first")


def find_damage(path: Path) -> str | None:
    """Reads a checkpoint completely, so that TensorFlow compares the content with its checksums.

    Args:
        path: as `path_of` gives it.

    Returns:
        What is wrong with it, or None.
    """
    return _find_damage(path, tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files(path)))


@functools.lru_cache(maxsize=64)  # a command asks several times, and a large checkpoint takes seconds
def _find_damage(path: Path, stamp: tuple) -> str | None:
    import tensorflow as tf  # only here: what else a user may have wrong is told without it

    del stamp
    try:
        reader = tf.train.load_checkpoint(str(path))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        return str(getattr(error, "message", error)).splitlines()[0]
    return None


def files(path: Path) -> list[Path]:
    """Returns the files of a checkpoint."""
    return sorted([*path.parent.glob(f"{path.name}.index"), *path.parent.glob(f"{path.name}.data-*")])


def set_aside_after(run: Path, step: int) -> None:
    """Renames the checkpoints of later steps, which are damaged, so that new ones do not overwrite them."""
    for later in saved_steps(run):
        if later > step:
            for file in files(path_of(run, later)):
                file.replace(file.with_name(_DAMAGED + file.name))


def prune(run: Path, keep: int) -> None:
    """Deletes all but the newest checkpoints, and lists these where other TensorFlow programs look.

    Args:
        run: the run directory.
        keep: how many to keep.
    """
    steps = saved_steps(run)
    _note(run, steps[:keep])
    for step in steps[keep:]:
        for file in reversed(files(path_of(run, step))):  # the index last: without it the rest is no checkpoint
            file.unlink()


def remove_unfinished(run: Path) -> None:
    """Deletes what a killed or failed save left behind; no other process may be saving."""
    directory = run / DIRECTORY
    for path in directory.glob(f"{PREFIX}-*_temp"):
        shutil.rmtree(path)
    whole = {path_of(run, step).name for step in saved_steps(run)}
    for path in directory.glob(f"{PREFIX}-*.data-*"):
        if path.name.partition(".")[0] not in whole:
            path.unlink()
    for path in filter(writing.is_temporary, directory.glob(".*")):
        path.unlink()


def _note(run: Path, steps: Sequence[int]) -> None:
    """Writes the file that `tf.train.latest_checkpoint` reads; nothing here depends on it."""
    names = [path_of(run, step).name for step in reversed(steps)]
    lines = [f'model_checkpoint_path: "{names[-1]}"', *(f'all_model_checkpoint_paths: "{name}"' for name in names)]
    writing.write_text(run / DIRECTORY / "checkpoint", "\n".join(lines) + "\n")


@functools.cache
def _tell_once(sentence: str) -> None:
    print(f"note: {stand_ins.told(sentence)}", file=sys.stderr, flush=True)
