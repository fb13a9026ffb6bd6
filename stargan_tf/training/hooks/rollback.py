"""Going back to the last checkpoint when a loss, gradient or weight is not finite."""

import sys
import time
from pathlib import Path

from stargan_tf.config import Config
from stargan_tf.runs import remote_run, run_directory
from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.hooks.measurements import NonFiniteError


def roll_back(
    error: NonFiniteError, state: TrainingState, checkpoints: Checkpoints, config: Config, run: Path, writes: bool
) -> int:
    """Goes back to the last checkpoint, if the run may, to go on with other latent codes and images.

    The number of roll-backs decides which, and is part of the next checkpoint, so that a run that is killed and resumed
    draws the same. Every worker calls this.

    Args:
        error: what was found.
        state: restored in place.
        checkpoints: of the run.
        config: resolved.
        run: the run directory.
        writes: whether this process writes.

    Returns:
        The step that was restored.

    Raises:
        NonFiniteError: the run is to stop, or has rolled back too often.
    """
    settings, failed, number = config.training, int(state.step.numpy()), int(state.rollbacks.numpy()) + 1
    advice = "lower --optimizers.learning_rate (with --allow_changes, to go on with this run)"
    last = "none" if checkpoints.saved_step is None else f"that of step {checkpoints.saved_step}"
    if settings.on_nonfinite == "stop":
        raise NonFiniteError(
            f"{error}; nothing of these steps is saved (last checkpoint: {last}); {advice}, or let "
            "--training.on_nonfinite rollback go on from the last checkpoint with other latent codes and images"
        ) from error
    if number > settings.max_rollbacks:
        raise NonFiniteError(
            f"{error}, after {number - 1} rollback(s), of which --training.max_rollbacks allows no more; nothing of "
            f"these steps is saved (last checkpoint: {last}); {advice}"
        ) from error
    if not writes:
        remote_run.pull(run)
    restored = checkpoints.restore_latest()
    state.rollbacks.assign(number)
    if writes:
        run_directory.cut_metrics(run, restored)
        entry = {"event": "rollback", "time": time.time(), "step": failed, "restored": restored, "number": number}
        run_directory.record_event(run, entry | {"reason": str(error)})
        print(f"{error}; back to step {restored} with fresh noise, rollback {number} of {settings.max_rollbacks}")
        sys.stdout.flush()
    return restored
