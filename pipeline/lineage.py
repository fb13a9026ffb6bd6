"""Where a served model came from: `python -m pipeline.lineage [MODEL_VERSION] --config FILE.yaml`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import artifacts, configuration
from pipeline.configuration import STAGES, Settings
from pipeline.serving_directory import ServingDirectory
from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.runs import run_directory

PROGRAM = "python -m pipeline.lineage"
DESCRIPTION = "Shows which images, schema, configuration, code and metrics a version of the served model came from."

# Inputs that are an earlier model: they are named, and not traced further.
_EARLIER_MODELS = ("last_good_model", "base_model", "blessed_model")


@dataclass(frozen=True)
class Arguments(Settings):
    """The pipeline, and what to show of it.

    Args:
        version: number of the version of the served model; by default the newest.
        json: whether everything is printed, as JSON for programs.
    """

    version: int | None = None
    json: bool = False


def run(arguments: Arguments) -> None:
    """Prints where a version came from.

    Raises:
        UserError: the version is not known to the pipeline.
    """
    configuration.check_places(arguments)
    version = arguments.version
    if version is None:
        serving = ServingDirectory(arguments.serving_path)
        version = serving.newest()
        if version is None:
            raise UserError(f"{serving.path} holds no version; name one that was pushed, like `{PROGRAM} 1`")
    traced = trace(arguments, version)
    if arguments.json:
        print(json.dumps(traced, indent=1, ensure_ascii=False))
    else:
        _print(traced)


def trace(settings: Settings, version: int) -> dict[str, Any]:
    """Traces a version back to its images.

    Args:
        settings: the pipeline that pushed it.
        version: its number.

    Returns:
        `version`, `path`, `rollback_of`, `stages` (`started`, `finished`, `code_version`, `parameters`, `inputs` and
        `outputs` of each stage that took part), and what their artifacts say: `images`, `anomalies`, `training`,
        `evaluation`.

    Raises:
        UserError: the version is not known to the pipeline.
    """
    serving = ServingDirectory(settings.serving_path)
    rollback_of = serving.record(version)["rollback_of"] if version in serving.versions() else None
    if rollback_of is not None:
        return trace(settings, rollback_of) | {
            "version": version,
            "path": str(serving.path / str(version)),
            "rollback_of": rollback_of,
        }
    extras.require("pipeline", "ml_metadata")
    with command_line.quiet_start():
        from pipeline.orchestration.metadata_store import connection_config, open_history

        history = open_history(connection_config(settings.metadata, settings.root_path), settings.name)
    pushes = history.artifacts("PushedModel")
    versions = [push.custom_properties["pushed_version"].string_value for push in pushes]
    if str(version) not in versions:
        known = ", ".join(sorted({v for v in versions if v}, key=int)) or "none"
        raise UserError(f"version {version} was not pushed by the pipeline {settings.name}; it pushed {known}")
    push = pushes[versions.index(str(version))]
    executions, pending = {}, [history.producer(push.id)]
    while pending:
        execution = pending.pop()
        if execution is None or execution.stage in executions:
            continue
        executions[execution.stage] = execution
        taken = [artifact for key, artifact in execution.inputs.items() if key not in _EARLIER_MODELS]
        pending += [history.producer(artifact.id) for artifact in taken]
    stages = {
        stage: {
            "started": _time(execution.started),
            "finished": _time(execution.finished),
            "code_version": execution.parameters.get("code_version"),
            "parameters": {
                name: _plain(value)
                for name, value in execution.parameters.items()
                if name != "code_version" and not name.startswith("__")
            },
            "inputs": {key: artifact.uri for key, artifact in execution.inputs.items()},
            "outputs": {key: artifact.uri for key, artifact in execution.outputs.items()},
        }
        for stage in STAGES
        if (execution := executions.get(stage)) is not None
    }
    return {
        "version": version,
        "path": push.custom_properties["pushed_destination"].string_value,
        "rollback_of": None,
        **_facts(stages),
        "stages": stages,
    }


def _facts(stages: dict[str, Any]) -> dict[str, Any]:
    """What the artifacts themselves say."""

    def content(stage: str, key: str, name: str) -> Any:
        return artifacts.read_json(stages[stage]["outputs"][key], name, key)

    statistics = content("StatisticsGen", "statistics", artifacts.STATISTICS_FILE)
    evaluation = content("Evaluator", "evaluation", artifacts.EVALUATION_FILE)
    model = Path(stages["Trainer"]["outputs"]["model"])
    examples = stages["ExampleGen"]["parameters"]
    return {
        "images": {
            "input": examples["settings"]["input"],
            "fingerprint": examples["input_fingerprint"],
            "domains": statistics["domains"],
            "counts": {name: split["num_examples"] for name, split in statistics["splits"].items()},
            "rejected": statistics["num_rejected"],
        },
        "anomalies": content("ExampleValidator", "anomalies", artifacts.ANOMALIES_FILE)["anomalies"],
        "training": {
            "data": run_directory.recorded_data(model / artifacts.RUN),
            "step": evaluation["candidate"]["step"],
            "configuration": str(model / artifacts.RUN / run_directory.CONFIG_FILE),
        },
        "evaluation": {
            mode: evaluation["candidate"][mode]["mean"]
            for mode in ("latent", "reference")
            if mode in evaluation["candidate"]
        },
    }


def _print(traced: dict[str, Any]) -> None:
    images, training, stages = traced["images"], traced["training"], traced["stages"]
    again = f", which repeats version {traced['rollback_of']}" if traced["rollback_of"] is not None else ""
    earlier = {key: stages[stage]["inputs"].get(key) for stage in stages for key in _EARLIER_MODELS}
    facts = [
        ("images", f"{images['input']}, fingerprint {images['fingerprint']}"),
        ("", ", ".join(f"{name} {count}" for name, count in images["counts"].items())),
        ("", f"{images['rejected']} rejected"),
        ("examples", stages["ExampleGen"]["outputs"]["examples"]),
        ("schema", stages["SchemaGen"]["outputs"]["schema"]),
        *(("anomaly", anomaly["reason"]) for anomaly in traced["anomalies"]),
        ("model", stages["Trainer"]["outputs"]["model"]),
        ("configuration", training["configuration"]),
        ("trained for", f"{training['step']} steps"),
        ("started from", earlier.get("base_model") or "random weights"),
        *(
            (f"{mode}-guided", ", ".join(f"{name} {value:.4g}" for name, value in measures.items()))
            for mode, measures in traced["evaluation"].items()
        ),
        ("compared with", stages["Evaluator"]["inputs"].get("blessed_model") or "no earlier model"),
    ]
    print(f"version {traced['version']}: {traced['path']}{again}")
    for name, value in facts:
        print(f"  {name:16}{value}")
    print(f"\n  {'stage':18}{'finished':26}code")
    for stage, values in stages.items():
        print(f"  {stage:18}{values['finished']:26}{values['code_version']}")


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _plain(value: Any) -> Any:
    """Settings are stored as JSON in a text."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        return json.loads(value)
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0].isdigit():
        argv = [f"--version={argv[0]}", *argv[1:]]
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv, defaults=configuration.defaults)


if __name__ == "__main__":
    sys.exit(main())
