"""Evaluation during training, which also selects the best checkpoint.

It changes nothing: networks are only read, and random choices come from seeds of its own, so that a run trains the
same with and without it. A step is saved before it is evaluated, so a kill during the evaluation costs nothing: the
resumed run begins by finishing it.
"""

from pathlib import Path

from stargan_tf.base import cache_directory
from stargan_tf.config import Config, RunConfig
from stargan_tf.data.records import DataDirectory
from stargan_tf.evaluation import results
from stargan_tf.evaluation.agreement import check_data
from stargan_tf.evaluation.protocol import Evaluator, Interrupted, ProtocolSettings
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import loading
from stargan_tf.runs import best_checkpoint, run_directory
from stargan_tf.runs.best_checkpoint import Best
from stargan_tf.runs.run_directory import writing
from stargan_tf.training.hooks import schedule
from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.measurements import Measurements
from stargan_tf.training.hooks.schedule import Due
from stargan_tf.training.hooks.stop_signals import StopSignals
from stargan_tf.training.hooks.summaries import Summaries


def is_pending(settings: RunConfig, run: Path, step: int) -> bool:
    """Returns whether a step was to be evaluated but its evaluation was not finished."""
    return schedule.is_evaluated(settings, step) and not _is_recorded(run, step, settings.eval_metric)


def check(settings: RunConfig, data: DataDirectory) -> None:
    """Checks that a run can be evaluated on its data while it trains, if it is to be.

    Raises:
        UserError: a domain has too few images.
    """
    if settings.eval_every > 0:
        check_data(data, _protocol(settings))


class Evaluation(Hook):
    """Evaluates the averaged networks of a run while it trains; for the process that writes.

    Args:
        config: resolved.
        data: the data directory.
        translator: of the averaged networks.
        summaries: of the run.
        measurements: of the run.
        run: the run directory.
        fingerprint: of the data.
        stop: signals that ask to stop: an evaluation is then left for the resumed run to finish.

    Raises:
        UserError: extractor or distance cannot be had, or the data has too few images.
    """

    def __init__(
        self,
        config: Config,
        data: DataDirectory,
        translator: Translator,
        summaries: Summaries,
        measurements: Measurements,
        run: Path,
        fingerprint: str,
        stop: StopSignals,
    ):
        self._settings, self._translator, self._summaries, self._run = config.training, translator, summaries, run
        self._measurements, self._stop = measurements, stop
        cache = cache_directory.default()
        self._evaluator = Evaluator(
            data,
            _protocol(self._settings),
            *loading.load(self._settings.eval_extractor, self._settings.eval_distance, data, cache),
            fingerprint,
            cache,
        )
        self._evaluator.prepare()

    def after_call(self, due: Due) -> None:
        if due.evaluating:
            with self._measurements.phase("evaluation"):
                self.evaluate(due.step)

    def evaluate(self, step: int) -> None:
        """Evaluates a step that has been saved; writes the result, and keeps the checkpoint if it is the best."""
        self._translator.step = step
        try:
            work, stop = results.work_directory(self._run), self._stop
            result = self._evaluator.evaluate(self._translator, work, lambda: stop.received is not None)
        except Interrupted:
            return
        metric = self._settings.eval_metric
        value, measured_with = results.overall(result, metric), results.label(result, metric)
        results.write(result, self._run)
        if self._settings.keep_best:
            with writing(self._run):
                higher_is_better = results.MEASURES[metric][2]
                best_checkpoint.keep(self._run, Best(step, metric, value, measured_with), higher_is_better)
        # Last, since this line says that the rest is done.
        self._summaries.write_metrics(step, results.scalars(result) | {_name(metric) + measured_with: value})
        results.remove_work(self._run, result)


def _protocol(settings: RunConfig) -> ProtocolSettings:
    return ProtocolSettings(sources=settings.eval_sources, seed=settings.seed)


def _name(metric: str) -> str:
    return f"{results.PREFIX}{metric}/"


def _is_recorded(run: Path, step: int, metric: str) -> bool:
    entries = run_directory.recorded_metrics(run)
    return any(entry["step"] == step and any(name.startswith(_name(metric)) for name in entry) for entry in entries)
