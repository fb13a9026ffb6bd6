"""Runs in other forms: of and as PyTorch checkpoints, and in one file: `python -m stargan_tf.convert --run DIR ...`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import check_local
from stargan_tf.interop.pytorch_from_run import write_pytorch
from stargan_tf.interop.run_from_pytorch import PublishedFiles, make_run
from stargan_tf.runs import named_runs

PROGRAM = "python -m stargan_tf.convert"
DESCRIPTION = (
    "Makes a run directory of published PyTorch checkpoints (--checkpoint, --nets, --optims, --fan), or writes such "
    "files from a run (--to_pytorch, --to_pytorch_nets, --to_pytorch_optims), or puts a run into one small file "
    "(--pack)."
)

_WRITING = ("to_pytorch", "to_pytorch_nets", "to_pytorch_optims")


@dataclass(frozen=True, kw_only=True)
class Arguments(PublishedFiles):
    """The command line.

    Args:
        run: run directory: to make from --checkpoint, or to take weights from.
        to_pytorch: file to write the averaged networks of the run to.
        to_pytorch_nets: file to write its trained networks with discriminator to.
        to_pytorch_optims: file to write the state of its optimizers to.
        pack: file (.npz) to write the run's averaged networks and discriminator to, 2 bytes a weight, with its
            configuration and numbers: every command takes it in place of the run's directory.
        overwrite: replace PyTorch files that exist.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("run",)  # may lie on a store

    run: str
    to_pytorch: str | None = None
    to_pytorch_nets: str | None = None
    to_pytorch_optims: str | None = None
    pack: str | None = None
    overwrite: bool = False


def run(arguments: Arguments) -> None:
    """Converts as the arguments say.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, or files that hold something else.
    """
    names = [field.name for field in fields(PublishedFiles) if field.name != "face_masks"]
    reading = [name for name in names if getattr(arguments, name) is not None]
    targets = {name: Path(path) for name in _WRITING if (path := getattr(arguments, name)) is not None}
    if arguments.pack is not None:
        if reading or targets:
            raise UserError(f"--pack goes with --run alone; leave --{[*reading, *targets][0]} out")
        check_local(Path(arguments.pack))
        with command_line.quiet_start():
            from stargan_tf.runs.packed import pack
        pack(named_runs.find(arguments.run), Path(arguments.pack))
    elif reading and targets:
        raise UserError(
            f"--{reading[0]} reads and --{next(iter(targets))} writes PyTorch files; give one of them at a time"
        )
    elif targets:
        write_pytorch(named_runs.find(arguments.run), targets, arguments.overwrite)
    else:
        make_run(Path(arguments.run), arguments)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
