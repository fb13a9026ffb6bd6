"""Trains StarGAN v2: `python -m stargan_tf.train --data DIR --run DIR --preset NAME [overrides]`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from stargan_tf.base import command_line
from stargan_tf.base.files import is_remote
from stargan_tf.base.process import freed_memory
from stargan_tf.base.writing import check_local
from stargan_tf.config import Config, flatten, preset
from stargan_tf.runs import named_runs, remote_run, run_directory

PROGRAM = "python -m stargan_tf.train"
DESCRIPTION = (
    "Trains StarGAN v2, or goes on where --run stopped. Weakest first: defaults, the preset (or the run's own "
    "configuration, without --preset), --config files, flags."
)


@dataclass(frozen=True, kw_only=True)
class Settings(Config):
    """What decides the model beside the data.

    Args:
        preset: settings to start from: `photos_64` for a few thousand photographs on a small machine, `afhq_256` and
            `celeba_hq_256` as published, `known_factors` for generated images.
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
        run: run directory, local or on a store (s3://bucket/run); made if missing, resumed if there.
        init_from: run whose averaged and trained weights a new one starts from: its directory, a packed run, or
            `leaves`, which is shipped; domains are matched by name, and those it does not know start fresh.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("data", "run", "init_from")  # may lie on a store

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
        UserError: a mistake in the arguments, the data or the run directory; see also `train_and_evaluate`.
    """
    config = arguments.config
    if arguments.face_network is not None:
        check_local(Path(arguments.face_network))
    if not config.training.memory_pool:
        freed_memory.keep_no_pool()
    with command_line.quiet_start():
        from stargan_tf.data.records import check_data_directory, open_data_directory
        from stargan_tf.training.cluster import read_cluster

        read_cluster(config.training.strategy)  # before TensorFlow, which takes seconds to start
        check_data_directory(arguments.data)

        from stargan_tf.interop.published import read_face_network
        from stargan_tf.training import faster_arithmetic, runtime
        from stargan_tf.training.loop import train_and_evaluate

        runtime.configure(config.training)
    data = open_data_directory(arguments.data)
    runtime.begin_soon(data.image_size)
    with remote_run.opened(arguments.run) as run:
        if not run_directory.is_run(run):  # one that goes on keeps its precision
            note = faster_arithmetic.note(config.training)
            if note is not None:
                print(note, flush=True)
        return train_and_evaluate(
            config,
            data,
            run,
            None if arguments.face_network is None else Path(arguments.face_network),
            None if arguments.init_from is None else named_runs.find(arguments.init_from),
            read_face_network,
            arguments.allow_changes,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv, defaults=_defaults)


def _defaults(arguments: Arguments) -> dict[str, Any]:
    """Gives the values that files and flags override: those of the preset, else those of the run that goes on."""
    if arguments.preset is not None:
        return flatten(preset(arguments.preset))
    run = named_runs.find(arguments.run, None) if is_remote(arguments.run) else Path(arguments.run)
    if run_directory.is_run(run):
        return flatten(run_directory.load_config(run))
    if arguments.init_from is not None:
        # The same networks and rates; domains are those of the new data.
        values = flatten(run_directory.load_config(named_runs.find(arguments.init_from)))
        by_data = {name: None for name in values if name.startswith("images.")}
        return values | by_data | {"domains": None, "model.num_domains": None}
    return {}


if __name__ == "__main__":
    sys.exit(main())
