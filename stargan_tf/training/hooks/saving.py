"""Checkpoints and sample grids."""

from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.measurements import Measurements
from stargan_tf.training.hooks.schedule import Due
from stargan_tf.training.hooks.summaries import Summaries


class Saving(Hook):
    """Saves checkpoints."""

    def __init__(self, checkpoints: Checkpoints, measurements: Measurements):
        self._checkpoints, self._measurements = checkpoints, measurements

    def after_call(self, due: Due) -> None:
        if due.saving:
            with self._measurements.phase("checkpoint"):
                self._checkpoints.save()


class Sampling(Hook):
    """Draws sample grids."""

    def __init__(self, summaries: Summaries, measurements: Measurements):
        self._summaries, self._measurements = summaries, measurements

    def after_call(self, due: Due) -> None:
        if due.sampling:
            with self._measurements.phase("summaries"):
                self._summaries.write_samples(due.step)
