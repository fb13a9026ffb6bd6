"""Concurrent requests merged into one run, as by TF Serving's BatchingSession."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import numpy as np

from tests.serving_double.refusals import PATIENCE, Refused, invalid

# Runs a signature: its name, its inputs, and the outputs wanted, in whose order the results come.
Run = Callable[[str, Mapping[str, np.ndarray], tuple[str, ...]], list[np.ndarray]]


@dataclass
class _Batch:
    """Requests that are run together."""

    tasks: list[Mapping[str, np.ndarray]] = field(default_factory=list)
    rows: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    results: list[list[np.ndarray]] = field(default_factory=list)
    error: Exception | None = None


class Batcher:
    """Merges concurrent requests along axis 0 and splits what comes out, as TF Serving's BatchingSession does."""

    def __init__(self, run: Run, allowed_batch_sizes: Sequence[int], window: float, max_batch_size: int | None = None):
        self._run = run
        self._sizes = tuple(allowed_batch_sizes)
        self._max_rows = max_batch_size or self._sizes[-1]
        self._window = window
        self._lock = threading.Lock()
        self._open: dict[tuple, _Batch] = {}
        self.runs: list[tuple[str, int, int]] = []

    def __call__(self, name: str, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]) -> list[np.ndarray]:
        if any(value.ndim == 0 for value in inputs.values()):
            raise invalid("Batching Run() input tensors must have at least one dimension")
        if len({len(value) for value in inputs.values()}) != 1:
            raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
        rows = len(next(iter(inputs.values())))
        if rows > self._max_rows:
            raise invalid(f"Task size {rows} is larger than maximum input batch size {self._max_rows}")
        if rows == 0:  # TF Serving pads with the first row, which there is none of; what then happens is not imitated
            return self._run(name, inputs, wanted)
        if rows <= self._sizes[-1]:
            return self._merged(name, inputs, wanted)
        # The server first fills a batch that waits, which changes who shares a batch and no result.
        parts = [
            {alias: value[start : start + self._sizes[-1]] for alias, value in inputs.items()}
            for start in range(0, rows, self._sizes[-1])
        ]
        with ThreadPoolExecutor(len(parts)) as threads:
            results = list(threads.map(lambda part: self._merged(name, part, wanted), parts))
        return [np.concatenate(outputs) for outputs in zip(*results, strict=True)]

    def _merged(self, name: str, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]) -> list[np.ndarray]:
        """Runs what fits into one batch, with whatever else comes meanwhile."""
        rows = len(next(iter(inputs.values())))
        with self._lock:
            batch = self._open.get((name, wanted))
            leads = batch is None or batch.rows + rows > self._sizes[-1]
            if leads:
                if batch is not None:
                    batch.closed.set()
                batch = self._open[name, wanted] = _Batch()
            place = len(batch.tasks)
            batch.tasks.append(inputs)
            batch.rows += rows
            if batch.rows == self._sizes[-1]:
                del self._open[name, wanted]
                batch.closed.set()
        if leads:
            batch.closed.wait(self._window)
            with self._lock:
                if self._open.get((name, wanted)) is batch:
                    del self._open[name, wanted]
            try:
                batch.results = self._run_merged(name, batch, wanted)
            except Exception as error:
                batch.error = error
            batch.done.set()
        if not batch.done.wait(PATIENCE):
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the batch was not run")
        if batch.error is not None:
            raise batch.error
        return batch.results[place]

    def _run_merged(self, name: str, batch: _Batch, wanted: tuple[str, ...]) -> list[list[np.ndarray]]:
        padding = next(size for size in self._sizes if size >= batch.rows) - batch.rows
        self.runs.append((name, len(batch.tasks), batch.rows + padding))
        merged = {}
        for alias in batch.tasks[0]:
            values = [task[alias] for task in batch.tasks]
            if len({value.shape[1:] for value in values}) != 1:
                message = (
                    f"Tensors with name '{alias}' from different tasks have different shapes and padding is turned off."
                )
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
            merged[alias] = np.concatenate([*values, *[values[-1][:1]] * padding])
        outputs = self._run(name, merged, wanted)
        if any(len(output) != batch.rows + padding for output in outputs):
            message = (
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors"
            )
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
        ends = np.cumsum([len(next(iter(task.values()))) for task in batch.tasks])
        parts = [np.split(output, ends) for output in outputs]  # the last part is the padding
        return [[part[place] for part in parts] for place in range(len(batch.tasks))]
