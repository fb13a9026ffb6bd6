"""How a user sees a run go on."""

from typing import Self

from tqdm import tqdm

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
        self._bar = tqdm(total=self._steps, initial=self._step, unit="step", disable=None, dynamic_ncols=True)
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()

    def after_call(self, due: Due) -> None:
        self._bar.update(due.step - self._step)  # backwards after a roll-back
        self._step = due.step
        if due.recording:
            metrics = self._recording.metrics
            shown = {short: f"{metrics[name]:.3f}" for name, short in _SHOWN.items()}
            self._bar.set_postfix(shown | {"img/s": f"{metrics['speed/images_per_second']:.0f}"})
            if self._bar.disable:  # not a terminal
                print(f"step {due.step} of {self._steps}:", " ".join(f"{k} {v}" for k, v in shown.items()), flush=True)
