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


def find_latest(run: Path) -> str | None:
    """Returns the path of a run's newest checkpoint, as TensorFlow names it, or None if there is none."""
    return tf.train.latest_checkpoint(str(run / DIRECTORY))


def latest(run: Path) -> str:
    """Returns the path of a run's newest checkpoint, as TensorFlow names it.

    Raises:
        UserError: the run has no checkpoint.
    """
    path = find_latest(run)
    if path is None:
        raise UserError(f"the run {str(run)!r} has no checkpoint yet; train it first")
    return path


def holds_trained_networks(path: str) -> bool:
    """Returns whether a checkpoint holds more than averaged networks, so that training can go on from it."""
    return any(name.startswith("networks/") for name, _ in tf.train.list_variables(path))


def check_trainable(run: Path) -> None:
    """Checks that a run, if it has a checkpoint, can be trained on.

    Raises:
        UserError: its newest checkpoint holds averaged networks only.
    """
    path = find_latest(run)
    if path is not None and not holds_trained_networks(path):
        raise UserError(
            f"the run {str(run)!r} holds averaged networks for inference but no discriminator and no optimizers, so "
            f"training cannot go on from it; start a new run from its weights: --run DIR --init_from {run}"
        )


def save_ema(averages: Networks, step: int, config: Config, run: Path) -> None:
    """Saves averaged networks alone, from which a run can be used but not trained on.

    Args:
        averages: G, F and E.
        step: number of steps they were trained for.
        config: the run's.
        run: the run directory.
    """
    checkpoint = tf.train.Checkpoint(
        ema=dict(averages.items()), step=tf.Variable(step, dtype=tf.int64), record=_Record(config)
    )
    manager = tf.train.CheckpointManager(checkpoint, str(run / DIRECTORY), max_to_keep=1, checkpoint_name="step")
    manager.save(checkpoint_number=step)


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
    path = latest(run)
    networks = build_ema(config.model, config.training.precision)
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(ema=dict(networks.items()), step=step)
    checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    return networks, int(step)
