"""Checkpoints of a run: saved, restored, and read for inference."""

import json
from pathlib import Path

import tensorflow as tf

from stargan_tf.config import Config, flatten
from stargan_tf.errors import UserError
from stargan_tf.networks import Networks
from stargan_tf.training.state import TrainingState, build_ema

DIRECTORY = "checkpoints"


class _Record(tf.train.experimental.PythonState):
    """Keeps configuration and domain names inside the checkpoint, so that it explains itself without its run."""

    def __init__(self, config: Config):
        self.values = json.loads(json.dumps(flatten(config)))

    def serialize(self) -> str:
        return json.dumps(self.values)

    def deserialize(self, string_value: bytes | str) -> None:
        saved = json.loads(string_value)
        if saved["domains"] != self.values["domains"]:
            raise UserError(
                f"the checkpoint's domains are {', '.join(saved['domains'])}, "
                f"but the run's are {', '.join(self.values['domains'])}; they belong to different runs"
            )


class Checkpoints:
    """Saves a training state into a run directory and restores it.

    A file under a checkpoint's final name is complete: TensorFlow writes to temporary files and renames them.

    Args:
        state: what is saved; restoring changes it in place.
        config: resolved; saved along.
        run: the run directory.
    """

    def __init__(self, state: TrainingState, config: Config, run: Path):
        self._state = state
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                networks=dict(state.networks.items()),
                ema=dict(state.ema.items()),
                optimizers=state.optimizers,
                step=state.step,
                record=_Record(config),
            ),
            str(run / DIRECTORY),
            max_to_keep=config.training.keep_checkpoints,
            checkpoint_name="step",
        )
        self.saved_step: int | None = None

    def restore_latest(self) -> int:
        """Restores the newest checkpoint, if there is one.

        Returns:
            The number of finished steps: 0 if there was none.

        Raises:
            UserError: it belongs to another run.
        """
        path = self._manager.latest_checkpoint
        if path is None:
            return 0
        self._manager.checkpoint.restore(path).assert_consumed()
        self.saved_step = int(self._state.step.numpy())
        return self.saved_step

    def save(self) -> None:
        """Saves the state, unless this very step has been saved."""
        step = int(self._state.step.numpy())
        if step != self.saved_step:
            self._manager.save(checkpoint_number=step)
            self.saved_step = step


def load_ema(config: Config, run: Path) -> tuple[Networks, int]:
    """Loads the averaged networks of a run's newest checkpoint, for inference.

    Args:
        config: the run's.
        run: the run directory.

    Returns:
        G, F and E, and the number of steps they were trained for.

    Raises:
        UserError: the run has no checkpoint.
    """
    path = tf.train.latest_checkpoint(str(run / DIRECTORY))
    if path is None:
        raise UserError(f"the run {str(run)!r} has no checkpoint yet; train it first")
    networks = build_ema(config.model, config.training.precision)
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(ema=dict(networks.items()), step=step)
    checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    return networks, int(step)
