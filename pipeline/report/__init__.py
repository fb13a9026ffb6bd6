"""A run of the pipeline as one page for the browser: `python -m pipeline.report --output FILE.html --model DIR ...`.

The page is one HTML file that needs no others: the data and what is wrong with it, how training went, the model beside
the one blessed before, what was published or why not. Where a run did not get that far, the page says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pipeline import artifacts
from pipeline.model_fingerprint import fingerprint
from pipeline.report.run_results import Run, Stage
from pipeline.served import look
from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text
from stargan_tf.runs import run_directory

PROGRAM = "python -m pipeline.report"
DESCRIPTION = "Writes one HTML page about a run of the pipeline, complete or not."


@dataclass(frozen=True)
class Arguments:
    """What to show.

    Args:
        output: file to write; an existing page is replaced.
        name: what the run is called.
        stages: name, state (ran, skipped, failed, not reached), seconds and message of each stage, in their order.
        statistics: ExampleStatistics artifact.
        anomalies: ExampleAnomalies artifact.
        model: Model artifact, or a directory with an unfinished run/.
        evaluation: ModelEvaluation artifact.
        blessing: ModelBlessing artifact.
        infra_blessing: InfraBlessing artifact.
        pushed: PushedModel artifact.
        serving: directory that TF Serving watches; the page says what is served by it now.
        notes: what else is worth telling.
        configuration: file with the configuration of the run.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("notes",)  # any texts

    output: str
    name: str = "pipeline"
    stages: list[Stage] = field(default_factory=list)
    statistics: str | None = None
    anomalies: str | None = None
    model: str | None = None
    evaluation: str | None = None
    blessing: str | None = None
    infra_blessing: str | None = None
    pushed: str | None = None
    serving: str | None = None
    notes: list[str] = field(default_factory=list)
    configuration: str | None = None


def run(arguments: Arguments) -> None:
    """Writes the page.

    Raises:
        UserError: a directory lacks the artifact that it should hold.
    """
    from pipeline.report import page  # brings Matplotlib

    html = page.build(read(arguments))
    output = Path(arguments.output)
    write_text(output, html)
    print(f"report: {output}")


def read(arguments: Arguments) -> Run:
    """Reads what a run left behind.

    Args:
        arguments: the directories.

    Returns:
        All that the page shows.

    Raises:
        UserError: a directory lacks the artifact that it should hold.
    """
    if arguments.configuration is not None and not Path(arguments.configuration).is_file():
        raise UserError(f"there is no file {arguments.configuration!r} (--configuration)")
    evaluation = _json(arguments.evaluation, artifacts.EVALUATION_FILE, "evaluation")
    grids = {}
    if arguments.evaluation is not None:
        for model in ("candidate", "blessed"):
            for mode in ("latent", "reference"):
                path = Path(arguments.evaluation) / artifacts.grid_file(model, mode)
                if path.is_file():
                    grids[model, mode] = path
    run_path = None if arguments.model is None else Path(arguments.model) / artifacts.RUN
    return Run(
        name=arguments.name,
        stages=list(arguments.stages),
        statistics=_json(arguments.statistics, artifacts.STATISTICS_FILE, "statistics"),
        anomalies=_json(arguments.anomalies, artifacts.ANOMALIES_FILE, "anomalies"),
        metrics=[] if run_path is None else run_directory.recorded_metrics(run_path),
        events=[] if run_path is None else run_directory.recorded_events(run_path),
        evaluation=evaluation,
        grids=grids,
        blessing=_json(arguments.blessing, artifacts.REASONS_FILE, "blessing"),
        infra_blessing=_json(arguments.infra_blessing, artifacts.REASONS_FILE, "infra_blessing"),
        pushed=_json(arguments.pushed, artifacts.PUSHED_FILE, "pushed"),
        served=None if arguments.serving is None else look(Path(arguments.serving), _fingerprint(arguments.model)),
        notes=list(arguments.notes),
        configuration=arguments.configuration and Path(arguments.configuration).read_text(encoding="utf-8"),
    )


def _fingerprint(model: str | None) -> str | None:
    """The fingerprint of what a Model has served; None if its run did not get that far."""
    serving = None if model is None else Path(model) / artifacts.SERVING_MODEL
    return None if serving is None or not serving.is_dir() else fingerprint(serving)


def _json(directory: str | None, name: str, flag: str) -> dict[str, Any] | None:
    return None if directory is None else artifacts.read_json(directory, name, flag)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)
