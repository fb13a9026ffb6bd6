"""The best checkpoint of a run by a measure, kept beside the newest ones until a better one comes.

`checkpoints/best.json` says which it is and how good, and can be read without restoring anything; its files are copies
of those of the step's own checkpoint. No links: TensorFlow writes into a file that is there.
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

_RECORD = "best.json"
_PREFIX = "best-"


@dataclass(frozen=True)
class Best:
    """How good a checkpoint is.

    Args:
        step: of the checkpoint.
        measure: its name, "fid" for instance.
        value: lower or higher is better, as the measure is.
        measured_with: what tells values apart that cannot be compared: network, its hash, numbers of images.
        checkpoint: name of the files in `checkpoints/`, without their endings.
    """

    step: int
    measure: str
    value: float
    measured_with: str
    checkpoint: str = ""


def read(run: Path) -> Best | None:
    """Returns what is known of the best checkpoint of a run, if it has one."""
    try:
        return Best(**json.loads((run / files.DIRECTORY / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def path(run: Path) -> Path:
    """Returns the path of a run's best checkpoint.

    Raises:
        UserError: the run keeps none, or it is damaged.
    """
    best = read(run)
    if best is None:
        raise UserError(
            f"the run {str(run)!r} has no best checkpoint; training keeps one with --training.eval_every STEPS"
        )
    found = run / files.DIRECTORY / best.checkpoint
    problem = files.find_damage(found)
    if problem is not None:
        raise UserError(f"the checkpoint {str(found)!r} is damaged ({problem}); use the latest one")
    return found


def keep(run: Path, candidate: Best, higher_is_better: bool) -> bool:
    """Makes the checkpoint of a step the best one, if it is.

    A kill at any moment leaves the one before or the new one.

    Args:
        run: the run directory, with a checkpoint of that step.
        candidate: how good it is; where the best one so far was measured with something else, it counts no more.
        higher_is_better: of the measure.

    Returns:
        Whether it is the best.
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
    # A run that rolled back may come to the same step again.
    name = f"{_PREFIX}{candidate.step}"
    if name == kept:
        name += "-again"
    directory = run / files.DIRECTORY
    for file in files.files(files.path_of(run, candidate.step)):
        shutil.copyfile(file, directory / (name + file.name[file.name.index(".") :]))
    record = dataclasses.asdict(dataclasses.replace(candidate, checkpoint=name))
    writing.write_text(directory / _RECORD, json.dumps(record) + "\n")
    _remove_all_but(run, name)
    return True


def _remove_all_but(run: Path, name: str) -> None:
    for file in (run / files.DIRECTORY).glob(f"{_PREFIX}*"):
        if file.name.partition(".")[0] != name:
            file.unlink()
