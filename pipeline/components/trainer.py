"""Trainer: `python -m pipeline.components.trainer --examples DIR --output DIR --work DIR [--trainer.preset NAME]`.

Training and export as one stage. It trains in a directory of its own, which outlives a killed process, so that the
next attempt goes on from the last checkpoint; only a trained and exported model becomes the output.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pipeline import artifacts
from pipeline.section_flags import hints_name, with_new_names
from stargan_tf import export, train
from stargan_tf.base import command_line, extras, files
from stargan_tf.base.errors import RefusedError
from stargan_tf.base.writing import whole_directory
from stargan_tf.config import flatten, preset
from stargan_tf.runs import remote_run
from stargan_tf.serving.export_settings import ExportSettings

PROGRAM = "python -m pipeline.components.trainer"
DESCRIPTION = (
    "Trains StarGAN v2 and exports it for TF Serving. Stopped by a signal or killed, it goes on from the last "
    "checkpoint when it is run again with the same --work."
)


class Stopped(Exception):
    """Training was stopped before its last step; the message says by what, `exit_code` is that of training."""

    def __init__(self, exit_code: int):
        super().__init__(f"training stopped with exit code {exit_code}; run the same again to go on")
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True)
class Settings(train.Settings):
    """What decides the model beside the data, and how it is served.

    Args:
        export: how the trained model is served.
    """

    export: ExportSettings = field(default_factory=ExportSettings)


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        examples: data directory that example_gen wrote.
        output: directory to write, new or empty: run/ (the run directory), Format-Serving/ (the SavedModel) and, with
            a schema, schema/ (what a later data set is judged by, if this model is blessed).
        work: directory to train in, local or on a store; it may hold an earlier attempt, and stays as it is afterwards.
        name: of the model.
        schema: directory that schema_gen wrote.
        anomalies: directory that example_validator wrote; with blocking anomalies nothing is trained.
        base_model: Model whose weights the new one starts from; by default none.
        trainer: what decides the model beside the data, as a run's configuration has it.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("examples", "work")  # may lie on a store

    examples: str
    output: str
    work: str
    name: str = "stargan"
    schema: str | None = None
    anomalies: str | None = None
    base_model: str | None = None
    trainer: Settings = field(default_factory=Settings)


def run(arguments: Arguments) -> None:
    """Trains, exports and writes the Model.

    Raises:
        RefusedError: blocking anomalies.
        UserError: a mistake in the settings, or an output that is not empty; see also `train.run`.
        Stopped: training was stopped by a signal.
    """
    if arguments.anomalies is not None:
        _refuse_blocked(arguments.anomalies)
    with hints_name("trainer", Settings):
        _train_and_export(arguments)


def _train_and_export(arguments: Arguments) -> None:
    with contextlib.ExitStack() as stack:
        training = stack.enter_context(remote_run.opened(files.join(arguments.work, "run")))
        if files.is_remote(arguments.work):
            models = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            models = training.parent / "models"
        _train_here(arguments, training, models)


def _train_here(arguments: Arguments, training: Path, models: Path) -> None:
    """Trains and exports.

    Args:
        arguments: the command line.
        training: the run directory; of one on a store, the local folder that stands for it.
        models: directory in which the exported model becomes one.
    """
    settings, model = arguments.trainer, models / arguments.name
    to_export = export.Arguments(run=str(training), output=str(model), **vars(settings.export))
    with hints_name("trainer.export", ExportSettings):
        export.check(to_export)
    extras.require(*export.NEEDS[to_export.format])  # before it trains for days
    base = None if arguments.base_model is None else str(Path(arguments.base_model) / artifacts.RUN)
    to_train = {name: value for name, value in vars(settings).items() if name != "export"}
    code = train.run(train.Arguments(data=arguments.examples, run=str(training), init_from=base, **to_train))
    if code:
        raise Stopped(code)
    shutil.rmtree(models, ignore_errors=True)  # left by an attempt that was killed after training
    with hints_name("trainer.export", ExportSettings):
        export.run(to_export)
    (version,) = [child for child in model.iterdir() if child.name.isdigit()]
    with whole_directory(arguments.output) as directory:
        # Linked, so that `work` stays complete for another attempt without a second copy on the disk: nothing changes
        # the files of a finished run.
        for source, name in ((training, artifacts.RUN), (version, artifacts.SERVING_MODEL)):
            shutil.copytree(source, directory / name, copy_function=_link)
        if arguments.schema is not None:
            shutil.copytree(arguments.schema, directory / artifacts.MODEL_SCHEMA)
    print(f"model: {arguments.output}")


def _refuse_blocked(anomalies: str) -> None:
    found = artifacts.read_json(anomalies, artifacts.ANOMALIES_FILE, "anomalies")
    if found["blocking"]:
        reasons = "; ".join(anomaly["reason"] for anomaly in found["anomalies"] if anomaly["blocking"])
        accepted = f"; {found['if_intended']}" if found.get("if_intended") else ""
        raise RefusedError(f"nothing is trained on this data: {reasons}{accepted}")


def _link(source: str, destination: str) -> None:
    """Makes a hard link to a file, or a copy where the file system has no hard links."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = with_new_names(argv, {"settings": "trainer"})
    return command_line.main(Arguments, _run, PROGRAM, DESCRIPTION, argv, defaults=_defaults)


def _run(arguments: Arguments) -> int:
    try:
        run(arguments)
    except Stopped as stopped:
        return stopped.exit_code
    return 0


def _defaults(arguments: Arguments) -> dict[str, Any]:
    """The values of the preset, which files and flags override."""
    if arguments.trainer.preset is None:
        return {}
    return {f"trainer.{name}": value for name, value in flatten(preset(arguments.trainer.preset)).items()}


if __name__ == "__main__":
    sys.exit(main())
