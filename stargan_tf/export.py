"""Exports a run for serving: `python -m stargan_tf.export --run DIR --output MODELS/stargan`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.base.writing import is_occupied
from stargan_tf.runs import named_runs, run_directory
from stargan_tf.serving import deployment, versions
from stargan_tf.serving.export_settings import ExportSettings
from stargan_tf.serving.web.page_settings import PageSettings

PROGRAM = "python -m stargan_tf.export"
DESCRIPTION = (
    "Writes the averaged networks of a run as a version of a model: a SavedModel that TF Serving takes as it is, with "
    "warm-up requests, a model card, and the files to deploy it; or ONNX or LiteRT files; or a page that translates in "
    "the visitor's browser, for any static host; or a Hugging Face Space."
)

# Of each format the extra, and its packages.
NEEDS = {
    "saved_model": ("serving", "tensorflow_serving"),  # for warm-up requests
    "onnx": ("onnx", "onnx", "onnxruntime", "tf2onnx"),
    "litert": ("litert", "ai_edge_litert"),
    "space": ("serving", "tensorflow_serving"),
    "web": ("web", "onnx", "onnxruntime", "tf2onnx", "markdown"),
}


@dataclass(frozen=True, kw_only=True)
class Arguments(PageSettings, ExportSettings):
    """The command line.

    Args:
        run: run directory of a trained or converted model, a packed run, or `leaves`, which is shipped.
        output: directory of the model, whose last part is its name; versions become directories in it.
        version: number of the version; by default one more than the highest there is, or for `onnx` and `litert` that
            which the same networks have in the other.
        format: `saved_model` for TF Serving, `onnx` or `litert` for other runtimes, `space` for a folder that is a
            Hugging Face Space with the page when it is pushed; then --output is that folder; `web` for a page without
            a server. A directory with SavedModels takes no other format.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("run",)  # may lie on a store

    run: str
    output: str
    version: PositiveInt | None = None
    format: Literal["saved_model", "onnx", "litert", "space", "web"] = "saved_model"


def run(arguments: Arguments) -> None:
    """Exports as the arguments say.

    Raises:
        UserError: a mistake in the arguments, no checkpoint, or an exported model that differs from the run's.
    """
    check(arguments)
    extras.require(*NEEDS[arguments.format])
    run = named_runs.find(arguments.run)
    run_directory.load_config(run)
    model = Path(arguments.output).resolve()
    if arguments.format == "space":
        _export_space(run, model, arguments)
        return
    versions.check(model, arguments.format, arguments.version)
    with command_line.quiet_start():
        from stargan_tf.serving.export import export_run

    export_run(run, model, arguments.version, arguments.format, arguments, arguments)


def _export_space(run: Path, folder: Path, arguments: Arguments) -> None:
    extras.require("demo", "gradio")
    if arguments.version is not None:
        raise UserError(f"--version is {arguments.version}, but a Space (--format space) has no versions; leave it out")
    if is_occupied(folder):
        raise UserError(
            f"--output {arguments.output!r} is not empty; a Space (--format space) needs a folder of its own"
        )
    with command_line.quiet_start():
        from stargan_tf.serving.space import export_space

    export_space(run, folder, arguments)


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
    if arguments.format == "web":
        if arguments.precision != "float32":
            raise UserError(
                f"--precision {arguments.precision} is not for --format web, whose networks compute in float32; "
                "--weights says how they are stored"
            )
        arguments.check_page()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
