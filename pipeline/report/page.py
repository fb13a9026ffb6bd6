"""The page of a run: what the template shows, made of what the run left."""

import statistics
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from data_prep.report import charts
from data_prep.report import page as data_page
from data_prep.report.page import Chart
from data_prep.report.rendering import jpeg_url, render
from pipeline.report import measures
from pipeline.report.run_results import Run, stage_results, verdict

_MAX_WIDTH = 1100  # of pictures, of which two stand beside each other
_LATENT, _REFERENCE = "latent-guided", "reference-guided"
# Title of each chart, and the measurements that are drawn by the names of their curves.
_CURVES = (
    ("Discriminator, total", {_LATENT: "d_latent/total", _REFERENCE: "d_reference/total"}),
    ("Generator, adversarial", {_LATENT: "g_latent/adv", _REFERENCE: "g_reference/adv"}),
    ("Generator, style reconstruction", {_LATENT: "g_latent/sty", _REFERENCE: "g_reference/sty"}),
    ("Generator, diversity (higher is better)", {_LATENT: "g_latent/ds", _REFERENCE: "g_reference/ds"}),
    ("Generator, cycle consistency", {_LATENT: "g_latent/cyc", _REFERENCE: "g_reference/cyc"}),
    ("Gradient penalty (R1)", {_LATENT: "d_latent/reg", _REFERENCE: "d_reference/reg"}),
)


def build(run: Run) -> str:
    """Writes the page; returns HTML."""
    published, title, reasons = verdict(run)
    return render(
        "pipeline_report.html",
        "pipeline.report",
        run=run,
        written=datetime.now(UTC),
        published=published,
        verdict=title,
        reasons=reasons,
        stage_results=stage_results(run),
        serving=list(_serving(run)),
        measures=run.evaluation
        and {
            mode: (list(measures.means(run.evaluation, mode)), *measures.tasks(run.evaluation, mode))
            for mode in run.evaluation["limits"]["modes"]
        },
        grids=[
            (f"{mode.capitalize()}-guided, {meaning}", _picture(run.grids[model, mode]))
            for mode in ("latent", "reference")
            for model, meaning in (("candidate", "this model"), ("blessed", "the model blessed before"))
            if (model, mode) in run.grids
        ],
        legend=list(zip((_LATENT, _REFERENCE), charts.COLOURS, strict=True)),
        curves=list(_curves(run)),
        speed=_median_speed(run),
        events=[_event(entry) for entry in run.events],
        data=run.statistics and data_page.describe(run.statistics),
    )


def _serving(run: Run) -> Iterator[tuple[str, str]]:
    if examined := run.infra_blessing:
        yield "Loads and answers in a bare process", "yes" if examined["blessed"] else "no"
        if "load_seconds" in examined:
            yield "Time to load", f"{examined['load_seconds']:.1f} s"
        if requests := examined.get("requests"):
            yield "Warm-up requests answered", str(len(requests))
            slowest = max(requests, key=lambda request: request["seconds"])
            name = f"{slowest['signature']}, {slowest['rows']} rows"
            yield "Slowest of them, at its first call", f"{slowest['seconds']:.2f} s ({name})"
        yield from (("Reason", reason) for reason in examined["reasons"])
    if pushed := run.pushed:
        yield "Published", f"version {pushed['version']}" if pushed["pushed"] else "no"
        yield from (("Reason", reason) for reason in pushed["reasons"])
        if pushed["pushed"]:
            yield "Where", pushed["path"]
            yield "Fingerprint of the model", pushed["fingerprint"][:16]
    if served := run.served:
        yield "Served", f"{'nothing' if served.version is None else f'version {served.version}'}: {served.why}"


def _picture(path: Path) -> str:
    """A data URL of a picture file."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((_MAX_WIDTH, picture.height), Image.Resampling.LANCZOS)
    return jpeg_url(picture, quality=88)


def _curves(run: Run) -> Iterator[Chart]:
    for title, names in _CURVES:
        points = {
            label: [(entry["step"], entry[name]) for entry in run.metrics if name in entry]
            for label, name in names.items()
        }
        if figure := charts.curves(points):
            last = ", ".join(f"{label} {curve[-1][1]:.4g}" for label, curve in points.items() if curve)
            yield Chart(title, charts.address(figure), f"At the end: {last}")


def _median_speed(run: Run) -> float | None:
    speeds = [entry["speed/images_per_second"] for entry in run.metrics if "speed/images_per_second" in entry]
    return statistics.median(speeds) if speeds else None


def _event(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    facts = ", ".join(f"{key} {value}" for key, value in entry.items() if key not in ("step", "event", "time"))
    return f"{entry['step']:,}", entry["event"], facts
