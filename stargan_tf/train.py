"""Trains StarGAN v2: `python -m stargan_tf.train --data DIR --run DIR --preset NAME [overrides]`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stargan_tf.base import command_line
from stargan_tf.config import Config, flatten, preset
from stargan_tf.runs import run_directory

PROGRAM = "python -m stargan_tf.train"
DESCRIPTION = (
    "Trains StarGAN v2, or goes on where --run stopped. Weakest first: defaults, the preset (or the run's own "
    "configuration, without --preset), --config files, flags."
)


@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    """What decides the model beside the data.

    Args:
        preset: settings to start from: afhq_256, celeba_hq_256 or quickstart.
        face_network: face network for the high-pass skip: a published PyTorch file, or the directory of a run that has
            one.
        allow_changes: whether a run may go on with other settings of losses, optimizers and input than before; each
            change is noted in events.jsonl.
    """

    preset: str | None = None
    face_network: str | None = None
    allow_changes: bool = False

    @property
    def config(self) -> Config:
        """The part that decides what is computed."""
        return Config(**{field.name: getattr(self, field.name) for field in fields(Config)})


@dataclass(frozen=True, kw_only=True)
class Arguments(Settings):
    """The command line.

    Args:
        data: data directory, as data_prep.images_to_tfrecords writes it, local or remote (gs://bucket/folder).
        run: run directory; made if missing, resumed if there.
        init_from: run directory whose averaged and trained weights a new run starts from; domains are matched by
            name, and those it does not know start fresh.
    """

    data: str
    run: str
    init_from: str | None = None


def run(arguments: Arguments) -> int:
    """Trains as the arguments say.

    Args:
        arguments: the command line.

    Returns:
        The exit code, see `training.loop.train_and_evaluate`.

    Raises:
        UserError: a mistake in the arguments, the data or the run directory.
    """
    config = arguments.config
    with command_line.quiet_start():
        from stargan_tf.data.records import check_data_directory, open_data_directory

        check_data_directory(arguments.data)  # before TensorFlow, which takes seconds to start

        from stargan_tf.interop.published import read_face_network
        from stargan_tf.training import runtime
        from stargan_tf.training.loop import train_and_evaluate
        from stargan_tf.training.workers import WORKER_LOST_EXIT_CODE, WorkerLostError

        runtime.configure(config.training)
    try:
        return train_and_evaluate(
            config,
            open_data_directory(arguments.data),
            Path(arguments.run),
            None if arguments.face_network is None else Path(arguments.face_network),
            None if arguments.init_from is None else Path(arguments.init_from),
            read_face_network,
            arguments.allow_changes,
        )
    except WorkerLostError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr, flush=True)
        return WORKER_LOST_EXIT_CODE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv, defaults=_defaults)


def _defaults(arguments: Arguments) -> dict[str, Any]:
    """Gives the values that files and flags override: those of the preset, else those of the run that goes on."""
    if arguments.preset is not None:
        return flatten(preset(arguments.preset))
    if run_directory.is_run(Path(arguments.run)):
        return flatten(run_directory.load_config(Path(arguments.run)))
    if arguments.init_from is not None:
        # The same networks and rates; domains are those of the new data.
        values = flatten(run_directory.load_config(Path(arguments.init_from)))
        by_data = {name: None for name in values if name.startswith("images.")}
        return values | by_data | {"domains": None, "model.num_domains": None}
    return {}


if __name__ == "__main__":
    sys.exit(main())
