"""The best checkpoint of a run by one metric, kept beside the newest ones until a better one is found.

`checkpoints/best.json` holds its step and value, and can be read without restoring anything; its files are copies of
the step's own checkpoint, not links, since TensorFlow writes into existing files.
"""

import dataclasses
import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.base import writing
from stargan_tf.base.errors import UserError
from stargan_tf.runs import checkpoint_files as files

RECORD = "best.json"
_PREFIX = "best-"


@dataclass(frozen=True)
class Best:
    """A checkpoint and the value of the metric that selects the best one.

    Args:
        step: of the checkpoint.
        measure: name of the metric, such as "fid".
        value: of the metric.
        measured_with: network, its hash, numbers of images; values that differ in it are never compared.
        checkpoint: name of the files in `checkpoints/`, without their suffixes.
    """

    step: int
    measure: str
    value: float
    measured_with: str
    checkpoint: str = ""


def read(run: Path) -> Best | None:
    """Returns the record of a run's best checkpoint, or None if it has none."""
    try:
        return Best(**json.loads((run / files.DIRECTORY / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def recorded(run: Path) -> Best:
    """Returns the record of a run's best checkpoint; raises UserError if it keeps none."""
    best = read(run)
    if best is None:
        raise UserError(
            f"the run {str(run)!r} has no best checkpoint; training keeps one with --training.eval_every STEPS"
        )
    return best


def path(run: Path) -> Path:
    """Returns the path of a run's best checkpoint.

    Raises:
        UserError: the run keeps none, or it is damaged.
    """
    found = run / files.DIRECTORY / recorded(run).checkpoint
    problem = files.find_damage(found)
    if problem is not None:
        raise UserError(f"the checkpoint {str(found)!r} is damaged ({problem}); use the latest one")
    return found


def keep(run: Path, candidate: Best, higher_is_better: bool) -> bool:
    """Makes the checkpoint of a step the best one if its value is better.

    A kill at any moment leaves either the previous best one or the new one.

    Args:
        run: the run directory, with a checkpoint of that step.
        candidate: step and value; if the best one so far was measured with something else, the candidate replaces it.
        higher_is_better: whether higher values of the metric are better.

    Returns:
        Whether the candidate is the best.
    """
    best = read(run)
    if not math.isfinite(candidate.value):
        return False
    if best is not None and (best.measure, best.measured_with) == (candidate.measure, candidate.measured_with):
        better = candidate.value > best.value if higher_is_better else candidate.value < best.value
        if not better:
            return dataclasses.replace(candidate, checkpoint=best.checkpoint) == best
    kept = "" if best is None else best.checkpoint
    _remove_all_but(run, kept)
    # A run that rolled back may reach the same step again.
    name = f"{_PREFIX}{candidate.step}"
    if name == kept:
        name += "-again"
    directory = run / files.DIRECTORY
    for file in files.files(files.path_of(run, candidate.step)):
        shutil.copyfile(file, directory / (name + file.name[file.name.index(".") :]))
    record = dataclasses.asdict(dataclasses.replace(candidate, checkpoint=name))
    writing.write_text(directory / RECORD, json.dumps(record) + "\n")
    _remove_all_but(run, name)
    return True


def _remove_all_but(run: Path, name: str) -> None:
    for file in (run / files.DIRECTORY).glob(f"{_PREFIX}*"):
        if file.name.partition(".")[0] != name:
            file.unlink()
