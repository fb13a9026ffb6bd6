"""What a run of the pipeline left behind, and the verdict on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.served import Served

State = Literal["ran", "skipped", "failed", "not reached"]


@dataclass(frozen=True)
class Stage:
    """What a stage did.

    Args:
        name: as the pipeline calls it.
        state: ran, skipped (nothing had changed), failed, or not reached.
        seconds: how long it took, if it ran.
        message: why it failed, or anything else worth telling.
    """

    name: str
    state: State
    seconds: float | None = None
    message: str | None = None


@dataclass(frozen=True)
class Run:
    """All that a page shows; None or empty where the run did not get that far.

    Args:
        name: what the run is called.
        stages: in their order.
        statistics: content of statistics.json.
        anomalies: content of anomalies.json.
        metrics: measurements of training, in their order.
        events: roll-backs of training, settings that changed, faults that were seen.
        evaluation: content of evaluation.json.
        grids: picture files by model (candidate, blessed) and mode (latent, reference).
        blessing: content of reasons.json of the Evaluator.
        infra_blessing: content of reasons.json of the InfraValidator.
        pushed: content of pushed.json.
        served: what is served now, if that was looked up.
        notes: what else is worth telling.
        configuration: its text.
    """

    name: str
    stages: Sequence[Stage]
    statistics: Mapping[str, Any] | None
    anomalies: Mapping[str, Any] | None
    metrics: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    evaluation: Mapping[str, Any] | None
    grids: Mapping[tuple[str, str], Path]
    blessing: Mapping[str, Any] | None
    infra_blessing: Mapping[str, Any] | None
    pushed: Mapping[str, Any] | None
    served: Served | None
    notes: Sequence[str]
    configuration: str | None


def verdict(run: Run) -> tuple[bool, str, list[str]]:
    """Says how a run ended.

    Args:
        run: the run.

    Returns:
        Whether its model is served, a title, and the reasons if it is not.
    """
    if run.pushed and run.pushed["pushed"]:
        version = run.pushed["version"]
        if run.served is None:
            return True, f"Version {version} is published", []
        if run.served.version == version and run.served.is_whole:
            return True, f"{run.served.title}: the model of this run", []
        return False, f"Version {version} was published, and is not served", [run.served.why]
    found = run.anomalies["anomalies"] if run.anomalies else ()
    if blocking := [anomaly["reason"] for anomaly in found if anomaly["blocking"]]:
        accepted = run.anomalies.get("if_intended") if run.anomalies else None
        blocking += [accepted] if accepted else []
        return False, "Stopped before training: the data is not as it should be", blocking
    refused = [
        f"{stage}: {reason}"
        for stage, blessing in (("Evaluator", run.blessing), ("InfraValidator", run.infra_blessing))
        for reason in (blessing or {}).get("reasons", ())
    ]
    if refused:
        return False, "Not published: the model was refused, and what was served before still is", refused
    if failed := next((stage for stage in run.stages if stage.state == "failed"), None):
        return False, f"Stopped at {failed.name}", [failed.message or "it failed without a message"]
    if run.pushed and run.served is not None and run.served.is_withdrawn:
        return False, f"{run.served.title}, to which this run was rolled back", [run.served.why]
    if run.pushed:
        return False, "Not published", list(run.pushed["reasons"])
    done = [stage.name for stage in run.stages if stage.state in ("ran", "skipped")]
    return False, f"Not finished; the last completed stage is {done[-1] if done else 'none'}", []


def stage_results(run: Run) -> dict[str, str]:
    """Returns the results of the stages that judge, by their names: such a stage may succeed and refuse."""
    results = {}
    if run.anomalies:
        found = run.anomalies["anomalies"]
        blocking = sum(anomaly["blocking"] for anomaly in found)
        results["ExampleValidator"] = f"anomalies: {len(found)}, blocking: {blocking}"
    for stage, blessing in (("Evaluator", run.blessing), ("InfraValidator", run.infra_blessing)):
        if blessing:
            results[stage] = "blessed" if blessing["blessed"] else "not blessed"
    if run.pushed:
        results["Pusher"] = f"version {run.pushed['version']}" if run.pushed["pushed"] else "not published"
    return results
