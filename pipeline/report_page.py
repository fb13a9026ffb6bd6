"""The page of a run: what came of it on top, then the stages in their order."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from data_prep import page
from data_prep import report_page as data_page
from pipeline import line_chart, report_metrics

# Wider pictures are reduced: two of them stand beside each other.
_WIDEST = 1100
_REASONS_SHOWN = 5  # The others are folded.
# What of the measurements is drawn, and the names of the curves.
_LATENT, _REFERENCE = "latent-guided", "reference-guided"
_CURVES = (
    ("Discriminator, total", {_LATENT: "d_latent/total", _REFERENCE: "d_reference/total"}),
    ("Generator, adversarial", {_LATENT: "g_latent/adv", _REFERENCE: "g_reference/adv"}),
    ("Generator, style reconstruction", {_LATENT: "g_latent/sty", _REFERENCE: "g_reference/sty"}),
    ("Generator, diversity (higher is better)", {_LATENT: "g_latent/ds", _REFERENCE: "g_reference/ds"}),
    ("Generator, cycle consistency", {_LATENT: "g_latent/cyc", _REFERENCE: "g_reference/cyc"}),
    ("Gradient penalty (R1)", {_LATENT: "d_latent/reg", _REFERENCE: "d_reference/reg"}),
)


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
    state: Literal["ran", "skipped", "failed", "not reached"]
    seconds: float | None = None
    message: str | None = None


@dataclass(frozen=True)
class Run:
    """All that a page shows; what a run did not come to is None or empty.

    Args:
        name: what the run is called.
        stages: in their order.
        statistics: content of statistics.json.
        anomalies: content of anomalies.json.
        metrics: measurements of training, in their order.
        events: what went wrong in training and was mended.
        evaluation: content of evaluation.json.
        grids: picture files by model (candidate, blessed) and mode (latent, reference).
        blessing: content of reasons.json of the Evaluator.
        infra_blessing: content of reasons.json of the InfraValidator.
        pushed: content of pushed.json.
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
    configuration: str | None


def build(run: Run) -> str:
    """Writes the page; returns HTML."""
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    sections = [f"<h1>{html.escape(run.name)}</h1><p class='soft'>Written {written}</p>", _verdict(run)]
    if run.stages:
        sections.append("<h2>Stages</h2>" + _stages(run))
    sections.append("<h2>Anomalies of the data</h2>" + _anomalies(run.anomalies))
    if run.pushed or run.infra_blessing:
        sections.append("<h2>Serving</h2>" + _serving(run))
    sections.append("<h2>The model, measured</h2>" + _evaluation(run))
    if run.grids:
        sections.append("<h2>Translations</h2>" + _grids(run.grids))
    sections.append("<h2>Training</h2>" + _training(run))
    sections.append("<h2>Data</h2>" + _data(run.statistics))
    if run.configuration:
        text = html.escape(run.configuration)
        sections.append(f"<h2>Configuration</h2><div class='card scroll'><pre>{text}</pre></div>")
    return page.document(f"{run.name}: pipeline report", sections)


def verdict(run: Run) -> tuple[bool, str, list[str]]:
    """Tells what came of a run.

    Args:
        run: the run.

    Returns:
        Whether its model is published, a title, and the reasons if it is not.
    """
    if run.pushed and run.pushed["pushed"]:
        return True, f"Version {run.pushed['version']} is published", []
    failed = next((stage for stage in run.stages if stage.state == "failed"), None)
    found = run.anomalies["anomalies"] if run.anomalies else ()
    blocking = [anomaly["reason"] for anomaly in found if anomaly["blocking"]]
    if blocking:
        return False, "Stopped before training: the data is not as it should be", blocking
    refused = [
        f"{stage}: {reason}"
        for stage, blessing in (("Evaluator", run.blessing), ("InfraValidator", run.infra_blessing))
        for reason in (blessing or {}).get("reasons", ())
    ]
    if refused:
        return False, "Not published: the model was refused, and what was served before still is", refused
    if failed:
        return False, f"Stopped at {failed.name}", [failed.message or "it failed without a message"]
    if run.pushed:
        return False, "Not published", list(run.pushed["reasons"])
    done = [stage.name for stage in run.stages if stage.state in ("ran", "skipped")]
    return False, f"Not finished: {done[-1] if done else 'nothing'} is the last that was done", []


def _verdict(run: Run) -> str:
    published, title, reasons = verdict(run)
    where = f"<br><span class='soft'>{html.escape(str(run.pushed['path']))}</span>" if published else ""
    items = [f"<li>{html.escape(reason)}</li>" for reason in reasons]
    shown = f"<ul>{''.join(items[:_REASONS_SHOWN])}</ul>" if items else ""
    if rest := items[_REASONS_SHOWN:]:
        shown += f"<details><summary>{len(rest)} more</summary><ul>{''.join(rest)}</ul></details>"
    return (
        f"<div class='card verdict{'' if published else ' bad-card'}'><b class='{'good' if published else 'bad'}'>"
        f"{html.escape(title)}</b>{where}{shown}</div>"
    )


def _stages(run: Run) -> str:
    results = _results(run)
    colours = {"ran": "good", "failed": "bad", "skipped": "soft", "not reached": "soft"}
    rows = [
        (
            stage.name,
            f"<span class='{colours[stage.state]}'>{stage.state}</span>",
            "" if stage.seconds is None else f"{stage.seconds:,.1f} s",
            stage.message or results.get(stage.name, "nothing had changed" if stage.state == "skipped" else ""),
        )
        for stage in run.stages
    ]
    return page.table(("stage", "state", "time", "result"), rows, numbers=(2,), raw=(1,))


def _results(run: Run) -> dict[str, str]:
    """What came of the stages that judge, by their names: they may run well and refuse."""
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


def _anomalies(anomalies: Mapping[str, Any] | None) -> str:
    if anomalies is None:
        return _not_reached("The data was not examined.")
    compared = (
        "Compared with the data of the last good run."
        if anomalies["compared_with_schema"]
        else "There was no earlier run to compare with."
    )
    if not anomalies["anomalies"]:
        return f"<p><span class='good'>None.</span> <span class='soft'>{compared}</span></p>"
    rows = [
        (
            f"<span class='bad'>{kind}</span>" if anomaly["blocking"] else f"{kind} (tolerated)",
            anomaly["domain"] or "",
            anomaly["split"] or "",
            anomaly["reason"],
        )
        for anomaly in anomalies["anomalies"]
        for kind in [anomaly["kind"].replace("_", " ")]
    ]
    return f"<p class='soft'>{compared}</p>" + page.table(("anomaly", "domain", "split", ""), rows, raw=(0,))


def _serving(run: Run) -> str:
    rows = []
    if run.infra_blessing:
        examined = run.infra_blessing
        requests = examined.get("requests", ())
        rows.append(("Loads and answers in a bare process", "yes" if examined["blessed"] else "no"))
        if "load_seconds" in examined:
            rows.append(("Time to load", f"{examined['load_seconds']:.1f} s"))
        if requests:
            slowest = max(requests, key=lambda request: request["seconds"])
            rows.append(("Warm-up requests answered", str(len(requests))))
            name = f"{slowest['signature']}, {slowest['rows']} rows"
            rows.append(("Slowest of them, at its first call", f"{slowest['seconds']:.2f} s ({name})"))
        rows += [("Reason", reason) for reason in examined["reasons"]]
    if run.pushed:
        rows.append(("Published", f"version {run.pushed['version']}" if run.pushed["pushed"] else "no"))
        rows += [("Reason", reason) for reason in run.pushed["reasons"]]
        if run.pushed["pushed"]:
            rows.append(("Where", run.pushed["path"]))
            rows.append(("Fingerprint of the model", run.pushed["fingerprint"][:16]))
    return page.table(("check", "result"), rows)


def _evaluation(run: Run) -> str:
    if run.evaluation is None:
        return _not_reached("No model was measured.")
    return report_metrics.build(run.evaluation)


def _grids(grids: Mapping[tuple[str, str], Path]) -> str:
    parts = []
    for mode, title in (("latent", "Latent-guided"), ("reference", "Reference-guided")):
        figures = "".join(
            f"<div class='card'><h3>{title}, {meaning}</h3><img src='{_picture(grids[model, mode])}' alt=''></div>"
            for model, meaning in (("candidate", "this model"), ("blessed", "the model blessed before"))
            if (model, mode) in grids
        )
        parts.append(f"<div class='beside' style='margin-bottom:12px'>{figures}</div>")
    both = any(model == "blessed" for model, _ in grids)
    return ("<p class='soft'>The same images in the same styles by both models.</p>" if both else "") + "".join(parts)


def _picture(path: Path) -> str:
    """A data URL of a picture file."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, picture.height * _WIDEST // picture.width), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _training(run: Run) -> str:
    if not run.metrics:
        return _not_reached("Nothing was trained.")
    cards = []
    for title, names in _CURVES:
        curves = {
            label: [(entry["step"], entry[name]) for entry in run.metrics if name in entry]
            for label, name in names.items()
        }
        if chart := line_chart.draw(curves):
            cards.append(f"<div class='card'><h3>{title}</h3>{chart}</div>")
    speeds = [entry["speed/images_per_second"] for entry in run.metrics if "speed/images_per_second" in entry]
    facts = f"{run.metrics[-1]['step']:,} steps"
    if speeds:
        facts += f", {sorted(speeds)[len(speeds) // 2]:,.0f} images per second (median)"
    legend = f"<span style='color:var(--accent)'>&#9632;</span> {_LATENT}, "
    legend += f"<span style='color:var(--val)'>&#9632;</span> {_REFERENCE}; over steps"
    events = ""
    if run.events:
        rows = [
            (
                f"{entry['step']:,}",
                entry["event"],
                ", ".join(f"{key} {value}" for key, value in entry.items() if key not in ("step", "event", "time")),
            )
            for entry in run.events
        ]
        events = "<h3 style='margin-top:16px'>Events</h3>" + page.table(("step", "event", ""), rows, numbers=(0,))
    return f"<p>{facts}</p><p class='soft'>{legend}</p><div class='charts'>{''.join(cards)}</div>{events}"


def _data(statistics: Mapping[str, Any] | None) -> str:
    if statistics is None:
        return _not_reached("There are no statistics.")
    return (
        data_page.tiles(statistics)
        + f"<div style='margin:12px 0'>{data_page.domains(statistics)}</div>"
        + data_page.charts(statistics)
    )


def _not_reached(sentence: str) -> str:
    return f"<p class='soft'>{sentence} The run did not come so far.</p>"
