"""Checkpoints of a run: saved, restored, and read for inference."""

import contextlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import reason, write_errors
from stargan_tf.config import Config, described, differences, flatten
from stargan_tf.networks import Networks
from stargan_tf.runs import best_checkpoint, run_directory
from stargan_tf.runs import checkpoint_files as files
from stargan_tf.runs.adam import Adam
from stargan_tf.runs.state import TrainingState, build_ema

# Where a checkpoint keeps what _Record serializes.
_RECORD = "record/.ATTRIBUTES/py_state"


class SaveError(UserError):
    """A checkpoint could not be written; earlier ones are unchanged."""


class _Record(tf.train.experimental.PythonState):
    """Keeps configuration and domain names inside the checkpoint, so that it is self-contained.

    The number of roll-backs stands beside them as `noise`, the name it had in the first checkpoints.
    """

    def __init__(self, config: Config, rollbacks: tf.Variable | None = None):
        self._values = json.loads(json.dumps(flatten(config)))
        self._rollbacks = rollbacks

    def serialize(self) -> str:
        return json.dumps(self._values | {"noise": 0 if self._rollbacks is None else int(self._rollbacks.numpy())})

    def deserialize(self, string_value: bytes | str) -> None:
        if self._rollbacks is not None:
            self._rollbacks.assign(json.loads(string_value).get("noise", 0))


class Checkpoints:
    """Saves a training state into a run directory and restores it.

    A file under a checkpoint's final name is complete: TensorFlow writes to temporary files and renames them.

    Args:
        state: what is saved; restoring changes it in place.
        config: resolved; saved with the state.
        run: the run directory.
        writes: whether this process may write; of several that train together, only one may.
    """

    def __init__(self, state: TrainingState, config: Config, run: Path, writes: bool = True):
        self._state = state
        self._config = config
        self._run = run
        self._writes = writes
        self._checkpoint = tf.train.Checkpoint(
            networks=dict(state.networks.items()),
            ema=dict(state.ema.items()),
            optimizers=state.optimizers,
            step=state.step,
            record=_Record(config, state.rollbacks),
        )
        self.saved_step: int | None = None

    def restore_latest(self) -> int:
        """Restores the newest checkpoint that is not damaged, if there is one.

        Returns:
            The number of finished steps: 0 if there was none.

        Raises:
            UserError: it belongs to another run, or all are damaged.
        """
        path = files.find_latest(self._run)
        if path is None:
            return 0
        _check_record(path, self._config, may_differ=run_directory.changed_settings(self._run))
        self._as_written(path).restore(str(path)).assert_consumed()
        for name, optimizer in self._state.optimizers.items():  # a checkpoint has that of its own configuration
            optimizer.learning_rate = self._config.optimizers.rate_of(name)
        self.saved_step = int(self._state.step.numpy())
        if self._writes:
            files.set_aside_after(self._run, self.saved_step)
            files.prune(self._run, self._config.training.keep_checkpoints)  # which a kill after saving left undone
        return self.saved_step

    def _as_written(self, path: Path) -> tf.train.Checkpoint:
        """Returns the checkpoint in the form of a file, of which everything must be known.

        Earlier versions kept Adam's first moments even where nothing depends on them, and `beta_1` may have changed.
        """
        names = {name for name, _ in tf.train.list_variables(str(path))}
        optimizers = {name: _in_form_of(names, name, optimizer) for name, optimizer in self._state.optimizers.items()}
        if all(optimizers[name] is optimizer for name, optimizer in self._state.optimizers.items()):
            return self._checkpoint
        children = dict(self._checkpoint._trackable_children())
        return tf.train.Checkpoint(**children | {"optimizers": optimizers})

    def save(self) -> None:
        """Saves the state, unless this step has been saved already or another process writes.

        Raises:
            SaveError: the disk is full, or the directory cannot be written; older checkpoints are unchanged.
        """
        step = int(self._state.step.numpy())
        if step == self.saved_step or not self._writes:
            return
        try:
            files.remove_unfinished(self._run)
            _write(self._checkpoint, self._run, step)
            files.prune(self._run, self._config.training.keep_checkpoints)
        except write_errors() as error:
            with contextlib.suppress(OSError):
                files.remove_unfinished(self._run)
            older = (
                "there is none before it" if self.saved_step is None else f"that of step {self.saved_step} is as it was"
            )
            raise SaveError(
                f"the checkpoint of step {step} could not be written to {str(self._run)!r} ({reason(error)}); {older}"
            ) from error
        self.saved_step = step


def holds_trained_networks(path: Path) -> bool:
    """Returns whether a checkpoint holds more than averaged networks, so that training can go on from it."""
    return any(name.startswith("networks/") for name, _ in tf.train.list_variables(str(path)))


def check_trainable(run: Path) -> None:
    """Checks that a run, if it has a checkpoint, can be trained on.

    Raises:
        UserError: its newest checkpoint holds averaged networks only.
    """
    path = files.find_latest(run)
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
    _write(checkpoint, run, step)
    files.prune(run, keep=1)


def load_ema(config: Config, run: Path, checkpoint: str = "latest") -> tuple[Networks, int]:
    """Loads the averaged networks of a run's checkpoint, for inference.

    Args:
        config: the run's; arithmetic and length of training may be others.
        run: the run directory.
        checkpoint: `latest` for the newest that is not damaged, or `best` by the evaluations during training.

    Returns:
        G, F and E, and the number of steps they were trained for.

    Raises:
        UserError: the run has no such checkpoint, only damaged ones, or one of other networks or domains.
    """
    path = best_checkpoint.path(run) if checkpoint == "best" else files.latest(run)
    _check_record(path, config, sections=("domains", "model"))
    networks = build_ema(config.model, config.training.precision)
    step = tf.Variable(0, dtype=tf.int64)
    saved = tf.train.Checkpoint(ema=dict(networks.items()), step=step)
    saved.restore(str(path)).assert_existing_objects_matched().expect_partial()
    return networks, int(step.numpy())


def _in_form_of(names: Collection[str], network: str, optimizer: Adam) -> Adam | dict[str, Any]:
    """Returns an optimizer in the form that a file has: with places for first moments only if it has some."""
    second, others = list(optimizer.second_moments), [optimizer.iterations, optimizer._learning_rate]
    last = len(others) + 2 * len(second) - 1  # number of the last variable if there are first moments
    there = f"optimizers/{network}/_variables/{last}/.ATTRIBUTES/VARIABLE_VALUE" in names
    if there == bool(optimizer.first_moments):
        return optimizer
    first = [tf.Variable(tf.zeros(moment.shape, moment.dtype), trainable=False) for moment in second] if there else []
    return {
        "_iterations": others[0],
        "_learning_rate": others[1],
        "_variables": [*others, *first, *second],
        "first_moments": first,
        "second_moments": second,
    }


def _write(checkpoint: tf.train.Checkpoint, run: Path, step: int) -> None:
    (run / files.DIRECTORY).mkdir(parents=True, exist_ok=True)
    _ = checkpoint.save_counter  # makes it, for restoring asks for it
    checkpoint.write(str(files.path_of(run, step)))


def _check_record(path: Path, config: Config, sections: Collection[str] = (), may_differ: Collection[str] = ()) -> None:
    """Checks that a checkpoint was made with a configuration, or with these sections of it, but for some fields."""
    saved = json.loads(tf.train.load_checkpoint(str(path)).get_tensor(_RECORD))
    values = {
        name: value for name, value in flatten(config).items() if not sections or name.partition(".")[0] in sections
    }
    changed = {name: values for name, values in differences(saved, values).items() if name not in may_differ}
    if changed:
        raise UserError(
            f"the checkpoint {str(path)!r} belongs to another configuration ({described(changed)}); the "
            "configuration beside it was changed, or the checkpoint comes from another run"
        )
