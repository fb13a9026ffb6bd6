"""Metrics, checkpoints and sample grids, each when it is due."""

from collections.abc import Mapping
from pathlib import Path

from stargan_tf.config import RunConfig
from stargan_tf.runs import remote_run
from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.calls import DATA_WAIT
from stargan_tf.training.hooks import health, schedule
from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.measurements import Measurements, NonFiniteError
from stargan_tf.training.hooks.schedule import Due
from stargan_tf.training.hooks.summaries import Summaries
from stargan_tf.training.summaries.tags import DATA_WAIT_SHARE, NOT_FINITE


class Recording(Hook):
    """Closes the measurements since the last record and writes them; on every worker, so that all of them go back.

    What is not finite raises NonFiniteError here, before anything is written, saved or drawn.

    Args:
        state: of the run.
        settings: of the run.
        measurements: of the run.
        summaries: where they are written, by the process that writes.
    """

    def __init__(
        self, state: TrainingState, settings: RunConfig, measurements: Measurements, summaries: Summaries | None
    ):
        self._settings = settings
        self._state, self._measurements, self._summaries = state, measurements, summaries
        self.metrics: dict[str, float] = {}  # of the last record
        self._update_ratios = health.UpdateRatios(state)
        self._recorded = 0

    def before_call(self, step: int) -> None:
        if step <= self._recorded:  # after a roll-back
            self._recorded = step - 1
            if self._summaries is not None:
                self._summaries.go_back(step - 1)
        last = step - 1 + schedule.steps_of_next_call(self._settings, step - 1)
        if self._summaries is not None and schedule.due(self._settings, last).recording:
            self._update_ratios.start()

    def after_call(self, due: Due) -> None:
        if not due.recording:
            return
        self._recorded, failures = due.step, int(self._state.rollbacks.numpy())
        try:
            self.metrics = self._measurements.close()
            if due.saving:
                health.check_finite(self._state, due.step)
        except NonFiniteError:
            if self._summaries is not None:
                self._summaries.show_metrics(due.step, {NOT_FINITE: failures + 1})
            raise
        if self._summaries is not None:
            with self._measurements.phase("summaries"):
                more = self._update_ratios.ratios() | health.memory()
                self._summaries.write_metrics(due.step, self.metrics | more)
                self._summaries.show_metrics(due.step, {NOT_FINITE: failures} | _data_wait_share(self.metrics))


def _data_wait_share(metrics: Mapping[str, float]) -> dict[str, float]:
    if DATA_WAIT not in metrics:
        return {}
    return {DATA_WAIT_SHARE: metrics[DATA_WAIT] / (metrics[DATA_WAIT] + metrics["time/step"])}


class Saving(Hook):
    """Saves checkpoints."""

    def __init__(self, checkpoints: Checkpoints, measurements: Measurements):
        self._checkpoints, self._measurements = checkpoints, measurements

    def after_call(self, due: Due) -> None:
        if due.saving:
            with self._measurements.phase("checkpoint"):
                self._checkpoints.save()


class Uploading(Hook):
    """Brings the store of a run that is on one to what the run is here, whenever something was saved."""

    def __init__(self, run: Path, measurements: Measurements):
        self._run, self._measurements = run, measurements

    def after_call(self, due: Due) -> None:
        if due.saving:
            with self._measurements.phase("checkpoint"):
                remote_run.push(self._run)


class Sampling(Hook):
    """Draws sample grids."""

    def __init__(self, summaries: Summaries, measurements: Measurements):
        self._summaries, self._measurements = summaries, measurements

    def after_call(self, due: Due) -> None:
        if due.sampling:
            with self._measurements.phase("summaries"):
                self._summaries.write_samples(due.step)
