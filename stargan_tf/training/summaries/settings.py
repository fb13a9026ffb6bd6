"""The settings of a run for TensorBoard: as text, and as hyperparameters by which runs are compared."""

import hashlib
from pathlib import Path
from typing import Any

from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.text.summary_v2 import text_pb

from stargan_tf.base import files, stand_ins
from stargan_tf.config import Config, flatten
from stargan_tf.runs import event_files, run_directory
from stargan_tf.training.summaries import tags

# The settings that the table of runs begins with: it shows five until more are chosen.
_FIRST = ("input.batch_size", "optimizers.learning_rate", "losses.lambda_ds", "losses.lambda_cyc", "training.seed")

# What the table of runs shows of each beside its settings.
_METRICS = ("g_latent/cyc", "g_latent/sty", "speed/images_per_second")


def write(config: Config, run: Path) -> None:
    """Writes the settings in place of those before; a run that goes on may have others.

    Args:
        config: resolved.
        run: the run directory.

    Raises:
        UserError: they cannot be written.
    """
    text = (run / run_directory.CONFIG_FILE).read_text()
    values = {name: _plain(value) for name, value in flatten(config).items()}
    ordered = [*_FIRST, *(name for name in values if name not in _FIRST)]
    place = stand_ins.told(run.resolve())
    trial = f"{files.name_of(place)} {hashlib.sha256(place.encode()).hexdigest()[:4]}"
    shown = [tags.tag_of(name) for name in _METRICS]
    event_files.write_summaries(
        run,
        "settings",
        [
            text_pb("configuration", "".join(f"    {line}\n" for line in text.splitlines()), "config.yaml of the run"),
            hparams.hparams_config_pb(
                [hparams.HParam(name) for name in ordered], [hparams.Metric(tag.name) for tag in shown]
            ),
            hparams.hparams_pb(values, trial_id=trial),
        ],
    )


def _plain(value: Any) -> bool | int | float | str:
    """Returns a value as the plugin takes it."""
    return value if isinstance(value, bool | int | float | str) else str(value)
