"""A trace of some steps, which TensorBoard's profiler opens."""

from pathlib import Path

import tensorflow as tf

from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.schedule import Due


class Profiler(Hook):
    """Traces the steps that the user asked for.

    Args:
        steps: first and last step to trace.
        logs: TensorBoard's directory; the trace is written below `plugins/profile`.
    """

    def __init__(self, steps: tuple[int, int], logs: Path):
        self._first, self._last = steps
        self._logs = logs
        self._running = False

    def __exit__(self, *exception) -> None:
        self._stop()  # what was traced is not lost when a run stops early

    def before_call(self, step: int) -> None:
        if step == self._first:
            tf.profiler.experimental.start(str(self._logs))
            self._running = True

    def after_call(self, due: Due) -> None:
        if due.step >= self._last:
            self._stop()

    def _stop(self) -> None:
        if self._running:
            self._running = False
            tf.profiler.experimental.stop()
