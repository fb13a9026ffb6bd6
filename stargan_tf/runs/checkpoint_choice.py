"""Which checkpoint of a run a command takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stargan_tf.config import Config
from stargan_tf.runs import best_checkpoint, checkpoint_files, run_directory


@dataclass(frozen=True, kw_only=True)
class CheckpointChoice:
    """The flag of commands that take the networks from a run.

    Args:
        checkpoint: `latest`, or `best` by the evaluations during training.
    """

    checkpoint: Literal["latest", "best"] = "latest"


def check_run(run: Path, checkpoint: str) -> Config:
    """Finds what is missing in a run without TensorFlow, which takes seconds to start.

    Args:
        run: the run directory.
        checkpoint: `latest` or `best`.

    Returns:
        Its configuration.

    Raises:
        UserError: it is not a run directory, or lacks such a checkpoint or the face network that its model needs.
    """
    config = run_directory.load_config(run)
    if checkpoint == "best":
        best_checkpoint.recorded(run)
    else:
        checkpoint_files.check_some(run)
    run_directory.check_face_network(run, config)
    return config
