"""Runs the pipeline on this machine: `python -m pipeline.run --config FILE.yaml`."""

import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import configuration, report
from pipeline.components.trainer import Stopped
from pipeline.configuration import Settings
from pipeline.orchestration.input_fingerprint import fingerprint
from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_lock import locked

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2 as proto

PROGRAM = "python -m pipeline.run"
DESCRIPTION = (
    "Runs all stages from images to a served model, or continues where a run was killed. Stages whose inputs, "
    "settings and code are as before are skipped. Exit code 0: done, 1: a stage failed, 2: a mistake in the "
    "configuration, 3: data or model was refused and nothing new is served (the report says why)."
)

REFUSED_EXIT_CODE = 3

# In the root, beside the metadata and the lock.
ARTIFACTS, WORK, CACHE, REPORTS = "artifacts", "work", "cache", "reports"
_FINGERPRINTS = "input_fingerprints.json"
_LOCK = "lock"


def run(settings: Settings) -> int:
    """Runs the pipeline.

    Args:
        settings: see `configuration`.

    Returns:
        The exit code, see `DESCRIPTION`.

    Raises:
        UserError: a mistake in the configuration, or another run uses the root.
    """
    configuration.check(settings)
    root = settings.root_path
    root.mkdir(parents=True, exist_ok=True)
    refusal = f"another run works on {root}; wait until it ends, or give this one another root"
    with locked(root / _LOCK, refusal):
        return _run(settings, root)


def _run(settings: Settings, root: Path) -> int:
    extras.require("pipeline", "ml_metadata", "tfx")
    with command_line.quiet_start():
        from absl import logging

        from pipeline.orchestration.metadata_store import connection_config, open_history
        from pipeline.orchestration.summary import summarize

        logging.set_verbosity(logging.FATAL)  # an error is raised and printed once, at the end
    connection = connection_config(settings.metadata, root)
    history = open_history(connection, settings.name)
    if killed := history.clear_killed(root / ARTIFACTS):
        print(f"{killed} unfinished {'stage' if killed == 1 else 'stages'} of a killed run cleared away")
    before = history.newest_execution()
    source = fingerprint(settings.input, root / _FINGERPRINTS)
    failure: Exception | None = None
    try:
        _run_stages(settings, source, root, connection)
    except Exception as error:  # handled below, after the report is written
        failure = error
    else:
        shutil.rmtree(root / WORK, ignore_errors=True)  # what it held has become artifacts
    if failure is not None and history.newest_execution() == before:
        raise failure  # nothing ran that a report could show

    outcome = summarize(history)
    settings_file = root / REPORTS / f"{datetime.now():%Y-%m-%d_%H-%M-%S}.yaml"
    configuration.save(settings, settings_file)
    outcome.print()
    message = None if failure is None else str(failure)
    report.run(outcome.report(settings_file.with_suffix(".html"), settings.name, settings_file, message))
    if isinstance(failure, Stopped):
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return failure.exit_code
    if isinstance(failure, UserError):
        print(f"{PROGRAM}: error: {failure}", file=sys.stderr)
        return REFUSED_EXIT_CODE
    if failure is not None:
        raise failure
    return REFUSED_EXIT_CODE if outcome.refused else 0


def preload() -> None:
    """Imports all that a run needs, which takes seconds: TFX, and with it TensorFlow."""
    with command_line.quiet_start():  # TFX warns of optional packages
        import tfx.orchestration.local.local_dag_runner  # noqa: F401


def _run_stages(settings: Settings, source: str, root: Path, connection: "proto.ConnectionConfig") -> None:
    preload()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.orchestration.wiring import create_pipeline

    artifacts, work, cache = (str(root / name) for name in (ARTIFACTS, WORK, CACHE))
    LocalDagRunner().run(create_pipeline(settings, source, artifacts, work, cache, connection))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Settings, run, PROGRAM, DESCRIPTION, argv, defaults=configuration.defaults)


if __name__ == "__main__":
    sys.exit(main())
