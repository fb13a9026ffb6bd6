"""Progress of an evaluation on disk, from which one that was killed goes on."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import writing
from stargan_tf.base.file_names import file_name
from stargan_tf.evaluation.feature_summary import FeatureSummary
from stargan_tf.evaluation.tasks import Task


class TaskProgress:
    """State of a task while its sources are translated.

    Args:
        generated: features of the translations so far.
        done: sources translated so far.
        distances: sum of the mean distances between the translations of each source.
    """

    def __init__(self, generated: FeatureSummary, done: int = 0, distances: float = 0.0):
        self.generated, self.done, self.distances = generated, done, distances

    def add(self, features: np.ndarray, distances: list[float]) -> None:
        """Adds the next sources: features of all their translations, source by source, and one distance per source."""
        self.generated.add(features)
        for distance in distances:
            self.distances += float(distance)
        self.done += len(distances)


class WorkDirectory:
    """Keeps the results of finished tasks and, from time to time, the progress of the current one.

    Every file is written under another name and renamed, so a kill at any moment costs the time since the last save.

    Args:
        path: the directory, used by one evaluation only; None keeps nothing.
        save_seconds: time between saves of the progress of a task.
    """

    def __init__(self, path: Path | None, save_seconds: float):
        self._path, self._save_seconds = path, save_seconds
        self._saved = time.monotonic()

    def result(self, task: Task) -> dict[str, Any] | None:
        """Returns the result of a task that is finished."""
        if self._path is None:
            return None
        try:
            return json.loads(self._file(task, "json").read_text())
        except (OSError, ValueError):
            return None

    def finish(self, task: Task, result: dict[str, Any]) -> None:
        """Keeps the result of a task and deletes its progress."""
        if self._path is None:
            return
        writing.write_json(self._file(task, "json"), result)
        self._file(task, "npz").unlink(missing_ok=True)

    def progress(self, task: Task) -> TaskProgress | None:
        """Returns the progress of a task that was begun."""
        arrays = None if self._path is None else writing.read_arrays(self._file(task, "npz"))
        if arrays is None:
            return None
        return TaskProgress(FeatureSummary.from_arrays(arrays), int(arrays["done"]), float(arrays["distances"]))

    def save(self, task: Task, progress: TaskProgress, now: bool = False) -> None:
        """Keeps the progress of a task if `now`, or if the last save is long enough ago."""
        if self._path is None or not (now or time.monotonic() >= self._saved + self._save_seconds):
            return
        state = {"done": np.array(progress.done), "distances": np.array(progress.distances)}
        writing.write_arrays(self._file(task, "npz"), progress.generated.to_arrays() | state)
        self._saved = time.monotonic()

    def _file(self, task: Task, ending: str) -> Path:
        assert self._path is not None, "nothing is kept"
        return self._path / f"{file_name(f'{task.mode}_{task.name}')}.{ending}"
