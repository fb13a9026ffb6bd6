"""Which checkpoint of a run a command takes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class CheckpointChoice:
    """The flag of commands that take the networks from a run.

    Args:
        checkpoint: `latest`, or `best` by the evaluations during training.
    """

    checkpoint: Literal["latest", "best"] = "latest"
