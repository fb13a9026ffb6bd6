"""Runs the pipeline on this machine: `python -m pipeline.run --config FILE.yaml`."""

import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import configuration, report
from pipeline.components.trainer import Stopped
from pipeline.configuration import Settings
from pipeline.orchestration import served_versions
from pipeline.orchestration.input_fingerprint import fingerprint
from pipeline.serving_directory import ServingDirectory
from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import ExitCode, UserError
from stargan_tf.base.file_lock import locked

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2 as proto

    from pipeline.orchestration.metadata_store import History

PROGRAM = "python -m pipeline.run"
DESCRIPTION = (
    "Runs all stages from images to a served model, or continues where a run was killed. Stages whose inputs, "
    "settings and code are as before are skipped. Exit code 0: done, 3: data or model "
    "was refused and nothing new is served (the report says why); docs/exit_codes.md has all."
)

# In the root, beside the metadata and the lock.
ARTIFACTS, WORK, CACHE, REPORTS = "artifacts", "work", "cache", "reports"
_FINGERPRINTS = "input_fingerprints.json"
_LOCK = "lock"
_REPORT = re.compile(r"run_(\d+)_")


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

        from pipeline.orchestration import metadata_store
        from pipeline.orchestration.metadata_store import connection_config, open_history
        from pipeline.orchestration.summary import summarize

        logging.set_verbosity(logging.FATAL)  # an error is raised and printed once, at the end
    connection = connection_config(settings.metadata, root)
    history = open_history(connection, settings.name)
    if settings.metadata.kind != "sqlite":  # which lies in the root
        history.claim(root)
    if killed := history.clear_killed(root / ARTIFACTS):
        print(f"{killed} unfinished {'stage' if killed == 1 else 'stages'} of a killed run cleared away")
    source = fingerprint(settings.input, root / _FINGERPRINTS)
    notes = served_versions.put_back_what_is_missing(
        root / served_versions.FILE, settings.serving_path, history.find_model, _batch_sizes
    )
    for note in notes:
        print(note)
    before = history.newest_execution()
    failure: Exception | None = None
    try:
        with metadata_store.lost_server_told(connection):
            _run_stages(settings, source, root, connection, history)
    except Exception as error:  # handled below, after the report is written
        failure = error
    else:
        shutil.rmtree(root / WORK, ignore_errors=True)  # what it held has become artifacts
    if isinstance(failure, metadata_store.LostServerError):
        raise failure  # nobody can say what ran
    history = open_history(connection, settings.name)  # anew: a server may have been started again meanwhile
    if failure is not None and history.newest_execution() == before:
        raise failure  # nothing ran that a report could show
    if failure is not None:
        history.record_failure(str(failure), before)

    serving = ServingDirectory(settings.serving_path)
    served_versions.remember(root / served_versions.FILE, serving)
    outcome = summarize(history, serving.path)
    settings_file = _next_report(root / REPORTS)
    configuration.save(settings, settings_file)
    outcome.print()
    message = None if failure is None else str(failure)
    report.run(outcome.report(settings_file.with_suffix(".html"), settings.name, settings_file, message, notes))
    if isinstance(failure, Stopped):
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return failure.exit_code
    if isinstance(failure, UserError):
        print(f"{PROGRAM}: error: {failure}", file=sys.stderr)
        return failure.exit_code
    if failure is not None:
        raise failure
    return ExitCode.REFUSED if outcome.refused else ExitCode.DONE


def preload() -> None:
    """Imports all that a run needs, which takes seconds: TFX, and with it TensorFlow."""
    with command_line.quiet_start():  # TFX warns of optional packages
        import tfx.orchestration.local.local_dag_runner  # noqa: F401


def _next_report(directory: Path) -> Path:
    """Names the report by its number, which no clock can change, and the time in UTC; `.html` stands beside it."""
    numbers = [int(found[1]) for path in directory.glob("run_*.*") if (found := _REPORT.match(path.name))]
    return directory / f"run_{max(numbers, default=0) + 1:05}_{datetime.now(UTC):%Y-%m-%d_%H-%M-%SZ}.yaml"


def _batch_sizes(model: Path) -> list[int]:
    with command_line.quiet_start():
        from stargan_tf.serving import warmup

        rows = {next(iter(request.inputs.values())).tensor_shape.dim[0].size for request in warmup.read(model)}
    return sorted(rows)


def _run_stages(
    settings: Settings, source: str, root: Path, connection: "proto.ConnectionConfig", history: "History"
) -> None:
    preload()
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from pipeline.orchestration.wiring import create_pipeline

    artifacts, work, cache = (str(root / name) for name in (ARTIFACTS, WORK, CACHE))
    pipeline = create_pipeline(
        settings,
        source,
        artifacts,
        work,
        cache,
        served=str(root / served_versions.FILE),
        run=str(history.newest_execution()),
        data_version=history.data_version(source),
        connection=connection,
    )
    LocalDagRunner().run(pipeline)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Settings, run, PROGRAM, DESCRIPTION, argv, defaults=configuration.defaults)


if __name__ == "__main__":
    sys.exit(main())
