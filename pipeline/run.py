"""Runs the pipeline on this machine: `python -m pipeline.run --config FILE.yaml`."""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import configuration
from pipeline.components.trainer import Stopped
from pipeline.configuration import Settings
from pipeline.input_fingerprint import fingerprint
from pipeline.run_lock import locked
from stargan_tf import command_line
from stargan_tf.errors import UserError

PROGRAM = "python -m pipeline.run"
DESCRIPTION = (
    "Runs all stages from images to a model in production, or goes on where a run was killed. Stages whose inputs, "
    "settings and code are as before are skipped. Exit code 0: done, 1: a stage failed, 2: a mistake in the "
    "configuration, 3: data or model was refused and nothing new is served (the report says why)."
)

REFUSED_EXIT_CODE = 3

ARTIFACTS, WORK, REPORTS = "artifacts", "work", "reports"
_FINGERPRINTS = "input_fingerprints.json"


def run(settings: Settings) -> int:
    """Runs the pipeline.

    Args:
        settings: see `configuration`.

    Returns:
        The exit code, see `DESCRIPTION`.

    Raises:
        UserError: a mistake in the configuration, or another run works on the root.
    """
    configuration.check(settings)
    root = Path(settings.root).absolute()
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        return _run(settings, root)


def _run(settings: Settings, root: Path) -> int:
    with command_line.quiet_start():
        from absl import logging

        from pipeline import summary
        from pipeline.metadata_store import connection_config, open_history

        logging.set_verbosity(logging.FATAL)  # What fails is raised, and told once.
    connection = connection_config(settings.metadata, root)
    if killed := open_history(connection, settings.name).clear_killed(root / ARTIFACTS):
        print(f"{killed} unfinished {'stage' if killed == 1 else 'stages'} of a killed run cleared away")
    source = fingerprint(settings.example_gen.input, root / _FINGERPRINTS)
    failure: UserError | Stopped | None = None
    try:
        with _tfx() as (create_pipeline, runner):
            runner().run(create_pipeline(settings, source, str(root / ARTIFACTS), str(root / WORK), connection))
    except (UserError, Stopped) as error:
        failure = error
    else:
        shutil.rmtree(root / WORK, ignore_errors=True)  # All of it has become artifacts.
    outcome = summary.summarize(open_history(connection, settings.name))
    outcome.print()
    if isinstance(failure, Stopped):
        print(f"{PROGRAM}: {failure}", file=sys.stderr)
        return failure.exit_code
    if failure is not None:
        print(f"{PROGRAM}: error: {failure}", file=sys.stderr)
    return REFUSED_EXIT_CODE if failure is not None or outcome.refused else 0


@contextlib.contextmanager
def _tfx() -> Iterator[tuple]:
    """Gives the wiring and the runner, imported late: TFX takes seconds, and writes of what is not installed."""
    with command_line.quiet_start():
        from tfx.orchestration.local.local_dag_runner import LocalDagRunner

        from pipeline.pipeline import create_pipeline
    yield create_pipeline, LocalDagRunner


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Settings, run, PROGRAM, DESCRIPTION, argv, defaults=configuration.defaults)


if __name__ == "__main__":
    sys.exit(main())
