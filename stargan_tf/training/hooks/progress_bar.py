"""How a user sees a run go on."""

from typing import Self

from stargan_tf.base.progress import Progress
from stargan_tf.training.hooks.hook import Hook
from stargan_tf.training.hooks.recording import Recording
from stargan_tf.training.hooks.schedule import Due

# What it shows of the losses.
_SHOWN = {"g_latent/total": "G", "d_latent/total": "D", "g_latent/cyc": "cyc", "g_latent/sty": "sty"}


class ProgressBar(Hook):
    """Shows step, losses and speed, as a bar on a terminal and as a line now and then elsewhere.

    Args:
        steps: of the whole run.
        step: number of finished steps.
        recording: whose metrics are shown.
    """

    def __init__(self, steps: int, step: int, recording: Recording):
        self._steps, self._step = steps, step
        self._recording = recording

    def __enter__(self) -> Self:
        self._progress = Progress(self._steps, "training", "steps", done=self._step)
        return self

    def __exit__(self, *exception) -> None:
        self._progress.__exit__(*exception)

    def after_call(self, due: Due) -> None:
        note = None
        if due.recording:
            metrics = self._recording.metrics
            losses = [f"{short} {metrics[name]:.3f}" for name, short in _SHOWN.items()]
            note = ", ".join([*losses, f"{metrics['speed/images_per_second']:.0f} images/s"])
        self._progress.update(due.step - self._progress.done, note)  # backwards after a roll-back
