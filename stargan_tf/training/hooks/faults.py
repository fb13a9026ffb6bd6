"""Faults that a run's losses show: each is told once, with the section of the guide that says what helps.

They are seen in what is recorded anyway. A run that goes on reads its earlier records, so it knows what it knew.
"""

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from stargan_tf.base import progress
from stargan_tf.config import LossConfig
from stargan_tf.runs import run_directory
from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.recording import Recording
from stargan_tf.training.hooks.schedule import Due
from stargan_tf.training.hooks.summaries import Summaries

STYLES_ALIKE, CYCLE_GROWS = "styles look alike", "cycle error grows"

# Where the guide says what helps.
GUIDE = {
    STYLES_ALIKE: "docs/your_photographs.md#styles-hardly-differ",
    CYCLE_GROWS: "docs/your_photographs.md#the-person-in-the-picture-is-lost",
}

# Steps over which curves are smoothed, and after which they are judged: in the beginning the source is not there yet,
# and reference-guided translations hardly differ.
_SMOOTHED, _WARM_UP = 200, 1000

# Three healthy runs on photographs of leaves, of narrow and wide networks, had a diversity of at least 0.65 times the
# lowest cycle error after the warm-up, and a cycle error of at most 1.02 times its lowest, all smoothed.
_LEAST_DIVERSITY = 0.1
_MOST_GROWTH = 1.5

_CYCLE = "g_latent/cyc"
_DIVERSITY = {"drawn styles": "g_latent/ds", "styles of references": "g_reference/ds"}


class Watch:
    """Looks for faults in the records of a run.

    Args:
        losses: the weights; what has none is not looked at.
    """

    def __init__(self, losses: LossConfig):
        self._losses = losses
        self._first: int | None = None
        self.step = 0  # of the newest record
        self._smoothed: dict[str, float] = {}
        self._lowest, self._lowest_step = math.inf, 0

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds a record.

        Args:
            step: that it was made after.
            metrics: means since the record before.
        """
        if self._first is None:
            self._first = step
        share = 1 - math.exp((self.step - step) / _SMOOTHED)
        for name in (_CYCLE, *_DIVERSITY.values()):
            before = self._smoothed.get(name, metrics[name])
            self._smoothed[name] = before + share * (metrics[name] - before)
        self.step = step
        if self._is_warm and self._smoothed[_CYCLE] < self._lowest:
            self._lowest, self._lowest_step = self._smoothed[_CYCLE], step

    def faults(self) -> Iterator[tuple[str, str]]:
        """Yields the faults that are seen now: the name, and a sentence with the numbers."""
        if not self._is_warm:
            return
        cycle = self._smoothed[_CYCLE]
        for styles, name in _DIVERSITY.items() if self._losses.lambda_ds > 0 else ():
            if self._smoothed[name] < _LEAST_DIVERSITY * self._lowest:
                yield (
                    STYLES_ALIKE,
                    f"translations in two {styles} differ by {self._smoothed[name]:.2g} on average, less than a tenth "
                    f"of the lowest cycle error, {self._lowest:.2g}",
                )
        if self._losses.lambda_cyc > 0 and cycle > _MOST_GROWTH * self._lowest:
            yield (
                CYCLE_GROWS,
                f"it is {cycle:.2g}, and was {self._lowest:.2g} at step {self._lowest_step}, so less and less of the "
                "source is kept",
            )

    @property
    def _is_warm(self) -> bool:
        return self._first is not None and self.step - self._first >= _WARM_UP


class Faults(Hook):
    """Tells each fault once in a run, on stdout, in events.jsonl and on TensorBoard; for the process that writes.

    After a change of settings (`--allow_changes`) it begins anew.

    Args:
        losses: the weights.
        run: the run directory, without records after the step that the run goes on from.
        recording: whose metrics are looked at.
        summaries: of the run.
    """

    def __init__(self, losses: LossConfig, run: Path, recording: Recording, summaries: Summaries):
        self._losses, self._run, self._recording, self._summaries = losses, run, recording, summaries
        self._look_back()

    def before_call(self, step: int) -> None:
        if step <= self._watch.step:  # after a roll-back
            self._look_back()

    def after_call(self, due: Due) -> None:
        if not due.recording:
            return
        self._watch.add(due.step, self._recording.metrics)
        for fault, sentence in self._watch.faults():
            if fault not in self._told:
                self._tell(fault, sentence)

    def _tell(self, fault: str, sentence: str) -> None:
        self._told.add(fault)
        progress.say(f"note: {fault}: {sentence}; {GUIDE[fault]} says what helps")
        entry = {"event": fault, "time": time.time(), "step": self._watch.step}
        run_directory.record_event(self._run, entry | {"reason": sentence, "guide": GUIDE[fault]})
        self._summaries.show_note(fault, f"After step {self._watch.step}: {sentence}. {GUIDE[fault]} says what helps.")

    def _look_back(self) -> None:
        """Takes up what the run directory tells."""
        since, self._told = 0, set[str]()
        for entry in run_directory.recorded_events(self._run):
            if "setting" in entry:
                since = entry["step"]
                self._told.clear()
            self._told.add(entry["event"])
        self._watch = Watch(self._losses)
        for entry in run_directory.recorded_metrics(self._run):
            if entry["step"] > since and _CYCLE in entry:  # evaluations have others
                self._watch.add(entry["step"], entry)
