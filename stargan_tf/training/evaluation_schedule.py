"""Evaluation during training: when it is due, that it goes on after a kill, and which checkpoint is the best by it.

It only looks: networks are read, and what is drawn is drawn from seeds of its own, so that a run trains the same with
it and without. An evaluated step has been saved before, so a kill during its evaluation costs nothing: the run then
begins with what is missing.
"""

import json
from collections.abc import Callable
from pathlib import Path

from stargan_tf.base import cache_directory
from stargan_tf.config import Config, RunConfig
from stargan_tf.data.records import DataDirectory
from stargan_tf.evaluation import results
from stargan_tf.evaluation.protocol import Evaluator, Interrupted, ProtocolSettings
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics.loading import load_distance, load_extractor
from stargan_tf.runs import best_checkpoint, run_directory
from stargan_tf.runs.best_checkpoint import Best
from stargan_tf.runs.run_directory import writing
from stargan_tf.training.summaries import Summaries


def is_due(settings: RunConfig, step: int) -> bool:
    """Returns whether a step is to be evaluated."""
    every = settings.eval_every
    return every > 0 and step > 0 and (step % every == 0 or step == settings.steps)


def is_pending(settings: RunConfig, run: Path, step: int) -> bool:
    """Returns whether a step was to be evaluated and that was not finished."""
    return is_due(settings, step) and not _is_recorded(run, step, settings.eval_metric)


class EvaluationSchedule:
    """Evaluates the averaged networks of a run while it trains; for the process that writes.

    Args:
        config: resolved.
        data: the data directory.
        translator: of the averaged networks.
        summaries: of the run.
        run: the run directory.
        fingerprint: of the data.

    Raises:
        UserError: extractor or distance cannot be had, or the data has too few images.
    """

    def __init__(
        self,
        config: Config,
        data: DataDirectory,
        translator: Translator,
        summaries: Summaries,
        run: Path,
        fingerprint: str,
    ):
        self._settings, self._translator, self._summaries, self._run = config.training, translator, summaries, run
        cache = cache_directory.default()
        self._evaluator = Evaluator(
            data,
            ProtocolSettings(sources=self._settings.eval_sources, seed=config.training.seed),
            load_extractor(self._settings.eval_extractor, data, cache),
            load_distance(self._settings.eval_distance, data, cache),
            fingerprint,
            cache,
        )
        self._evaluator.prepare()

    def run(self, step: int, stop: Callable[[], bool] = lambda: False) -> None:
        """Evaluates a step that has been saved; writes the result, and keeps the checkpoint if it is the best.

        Args:
            step: which.
            stop: asked now and then; when it says so, the evaluation is left to be finished by the resumed run.
        """
        self._translator.step = step
        try:
            result = self._evaluator.evaluate(self._translator, results.work_directory(self._run), stop)
        except Interrupted:
            return
        metric = self._settings.eval_metric
        value, measured_with = results.overall(result, metric), results.label(result, metric)
        results.write(result, self._run)
        if self._settings.keep_best:
            with writing(self._run):
                higher_is_better = results.MEASURES[metric][2]
                best_checkpoint.keep(self._run, Best(step, metric, value, measured_with), higher_is_better)
        # Last, since this says that the rest is done.
        self._summaries.write_metrics(step, results.scalars(result) | {_name(metric) + measured_with: value})
        results.remove_work(self._run, result)


def _name(metric: str) -> str:
    return f"evaluation/{metric}/"


def _is_recorded(run: Path, step: int, metric: str) -> bool:
    path = run / run_directory.METRICS_FILE
    if not path.is_file():
        return False
    lines = (json.loads(line) for line in path.read_text().splitlines() if _name(metric) in line)
    return any(line["step"] == step for line in lines if any(name.startswith(_name(metric)) for name in line))
