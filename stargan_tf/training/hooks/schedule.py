"""Is it time? What is due after a step, and how many steps are done before anything is."""

import signal
from typing import NamedTuple

from stargan_tf.config import RunConfig


class Due(NamedTuple):
    """What is due after a step.

    Attributes:
        step: number of finished steps.
        recording: the metrics since the last record are closed and written; always so if anything else is due.
        saving: a checkpoint is written.
        sampling: sample grids are drawn.
        evaluating: the averaged networks are evaluated.
    """

    step: int
    recording: bool
    saving: bool
    sampling: bool
    evaluating: bool


def due(settings: RunConfig, step: int, stopping: signal.Signals | None = None) -> Due:
    """Returns what is due after a step, which is the last one if a signal asks to stop."""
    last = step == settings.steps or stopping is not None
    evaluating = stopping is None and is_evaluated(settings, step)
    saving = last or evaluating or step % settings.checkpoint_every == 0
    sampling = stopping is None and (last or step % settings.sample_every == 0)
    recording = saving or sampling or step % settings.log_every == 0
    return Due(step, recording, saving, sampling, evaluating)


def is_evaluated(settings: RunConfig, step: int) -> bool:
    """Returns whether a step is to be evaluated."""
    every = settings.eval_every
    return every > 0 and step > 0 and (step % every == 0 or step == settings.steps)


def steps_of_next_call(settings: RunConfig, step: int) -> int:
    """Returns how many steps follow `step` in one call, which ends where something is due or traced."""
    periods = (settings.log_every, settings.sample_every, settings.checkpoint_every, settings.eval_every)
    ends = [settings.steps, step + settings.steps_per_call]
    ends += [(step // every + 1) * every for every in periods if every > 0]
    if settings.profile_steps is not None:
        first, last = settings.profile_steps
        ends += [end for end in (first - 1, last) if end > step]
    return min(ends) - step
