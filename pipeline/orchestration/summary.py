"""What a run did: which stages ran, which were skipped, what was refused and why."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as proto

from pipeline import artifacts, report
from pipeline.configuration import STAGES
from pipeline.orchestration.metadata_store import History, StageExecution
from pipeline.orchestration.model_artifacts import fingerprint_of
from pipeline.report.run_results import Stage, State
from pipeline.served import Served, look

# Artifacts that the page shows: flag of the report, stage, and key of the output.
_SHOWN = {
    "statistics": ("StatisticsGen", "statistics"),
    "anomalies": ("ExampleValidator", "anomalies"),
    "model": ("Trainer", "model"),
    "evaluation": ("Evaluator", "evaluation"),
    "blessing": ("Evaluator", "blessing"),
    "infra_blessing": ("InfraValidator", "blessing"),
    "pushed": ("Pusher", "pushed_model"),
}
_STATES: dict[str, State] = {"COMPLETE": "ran", "CACHED": "skipped", "FAILED": "failed"}


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Args:
        executions: executions by name of the stage, in the order of the stages.
        refusals: sentences about what was refused.
        pushed: content of pushed.json, if the run got that far.
        served: what is served.
    """

    executions: dict[str, StageExecution]
    refusals: Sequence[str]
    pushed: dict | None
    served: Served

    @property
    def refused(self) -> bool:
        """Whether data or model was refused."""
        return bool(self.refusals)

    def states(self) -> dict[str, State]:
        """Returns the state of each stage by its name."""
        return {
            stage: _STATES.get(self.executions[stage].state, "failed") if stage in self.executions else "not reached"
            for stage in STAGES
        }

    def report(
        self, output: Path, name: str, configuration: Path, failure: str | None, notes: Sequence[str]
    ) -> report.Arguments:
        """Returns what the page of the run shows.

        Args:
            output: file of the page.
            name: of the run.
            configuration: file with its settings.
            failure: error message of the stage that failed, if one did.
            notes: what else is worth telling.
        """
        executions = self.executions
        paths = {
            flag: str(path)
            for flag, (stage, key) in _SHOWN.items()
            if (path := _output(executions, stage, key)) is not None
        }
        stages = [
            Stage(
                name=stage,
                state=state,
                seconds=executions[stage].seconds if state in ("ran", "failed") else None,
                message=failure if state == "failed" else None,
            )
            for stage, state in self.states().items()
        ]
        return report.Arguments(
            str(output),
            name,
            stages,
            notes=list(notes),
            serving=self.served.directory,
            configuration=str(configuration),
            **paths,
        )

    def print(self) -> None:
        """Prints a line for each stage, refusals, and the served version."""
        print()
        for stage, state in self.states().items():
            seconds = f"{self.executions[stage].seconds:9.1f} s" if state in ("ran", "failed") else ""
            print(f"{stage:18}{state:12}{seconds}")
        for refusal in self.refusals:
            print(f"refused: {refusal}")
        where = "" if self.served.version is None else f", {self.served.path}"
        print(f"served: {'nothing' if not where else f'version {self.served.version}'}{where}: {self.served.why}")


def summarize(history: History, serving: Path) -> Summary:
    """Describes the newest run of a pipeline.

    Args:
        history: the pipeline in the metadata store.
        serving: the serving directory.

    Returns:
        The summary.
    """
    executions = {execution.stage: execution for execution in history.last_run() if execution.stage in STAGES}
    refusals = []
    if anomalies := _output(executions, "ExampleValidator", "anomalies"):
        found = json.loads((anomalies / artifacts.ANOMALIES_FILE).read_text(encoding="utf-8"))
        refusals += [f"the data: {anomaly['reason']}" for anomaly in found["anomalies"] if anomaly["blocking"]]
        refusals += [f"the data: {found['if_intended']}"] if refusals and found.get("if_intended") else []
    for stage, kind in (("Evaluator", "the model"), ("InfraValidator", "serving the model")):
        if blessing := _output(executions, stage, "blessing"):
            refusals += [f"{kind}: {reason}" for reason in artifacts.read_blessing(blessing, "blessing")["reasons"]]
    pushed = None
    if push := _output(executions, "Pusher", "pushed_model"):
        pushed = json.loads((push / artifacts.PUSHED_FILE).read_text(encoding="utf-8"))
    model = executions["Trainer"].outputs.get("model") if "Trainer" in executions else None
    served = look(serving, None if model is None else fingerprint_of(model))
    return Summary({stage: executions[stage] for stage in STAGES if stage in executions}, refusals, pushed, served)


def _output(executions: dict[str, StageExecution], stage: str, key: str) -> Path | None:
    """Directory of an output of a stage in this run, if there is one."""
    execution = executions.get(stage)
    artifact: proto.Artifact | None = None if execution is None else execution.outputs.get(key)
    return None if artifact is None else Path(artifact.uri)
