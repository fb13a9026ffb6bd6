"""A trace of some steps, which TensorBoard's profiler opens."""

from pathlib import Path

import tensorflow as tf


class Profiler:
    """Traces the steps that the user asked for.

    Args:
        steps: first and last step to trace, or None.
        logs: TensorBoard's directory; the trace is written below `plugins/profile`.
    """

    def __init__(self, steps: tuple[int, int] | None, logs: Path):
        self._steps = steps
        self._logs = logs
        self._running = False

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(self, *exception) -> None:
        self._stop()  # what was traced is not lost when a run stops early

    def before(self, step: int) -> None:
        """Starts to trace if `step`, which is about to begin, is the first of them."""
        if self._steps is not None and step == self._steps[0]:
            tf.profiler.experimental.start(str(self._logs))
            self._running = True

    def after(self, step: int) -> None:
        """Writes the trace if `step` was the last of them."""
        if self._running and step >= self._steps[1]:
            self._stop()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            tf.profiler.experimental.stop()
