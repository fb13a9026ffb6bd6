"""Exports a run for serving: `python -m stargan_tf.export --run DIR --output MODELS/stargan`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.runs import run_directory
from stargan_tf.serving import deployment
from stargan_tf.serving.export_settings import ExportSettings

PROGRAM = "python -m stargan_tf.export"
DESCRIPTION = (
    "Writes the averaged networks of a run as a version of a model: a SavedModel that TF Serving takes as it is, with "
    "warm-up requests, a model card, and the files to deploy it; or ONNX or LiteRT files."
)

# Of each format the extra, and its packages.
NEEDS = {
    "saved_model": ("serving", "tensorflow_serving"),  # for warm-up requests
    "onnx": ("onnx", "onnx", "onnxruntime", "tf2onnx"),
    "litert": ("litert", "ai_edge_litert"),
}


@dataclass(frozen=True, kw_only=True)
class Arguments(ExportSettings):
    """The command line.

    Args:
        run: run directory of a trained or converted model.
        output: directory of the model, whose last part is its name; versions become directories in it.
        version: number of the version; by default one more than the highest there is.
        format: `saved_model` for TF Serving, `onnx` or `litert` for other runtimes.
    """

    run: str
    output: str
    version: PositiveInt | None = None
    format: Literal["saved_model", "onnx", "litert"] = "saved_model"


def run(arguments: Arguments) -> None:
    """Exports as the arguments say.

    Raises:
        UserError: a mistake in the arguments, no checkpoint, or an exported model that differs from the run's.
    """
    check(arguments)
    extras.require(*NEEDS[arguments.format])
    run_directory.load_config(Path(arguments.run))
    model = Path(arguments.output).resolve()
    versions = [int(child.name) for child in model.iterdir() if child.name.isdigit()] if model.is_dir() else []
    version = max(versions, default=0) + 1 if arguments.version is None else arguments.version
    target = model / str(version)
    if target.exists():
        raise UserError(f"--version {version}: {str(target)!r} exists; versions are never written over")
    with command_line.quiet_start():
        from stargan_tf.serving.export import export_run

    export_run(Path(arguments.run), target, arguments.format, arguments)


def check(arguments: Arguments) -> None:
    """Finds mistakes before TensorFlow is imported, which takes seconds.

    Raises:
        UserError: a value out of range, or a name that a model cannot have.
    """
    arguments.check()
    model = Path(arguments.output).resolve()
    deployment.check_model_name(model.name)
    if model.exists() and not model.is_dir():
        raise UserError(f"--output {arguments.output!r} is a file; it must be a directory")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
