"""The part of a run's page about measures: the model beside the one that was blessed before."""

import html
from collections.abc import Mapping
from typing import Any

from data_prep import page
from pipeline.decision import HIGHER_IS_BETTER, KNOWN_FACTORS
from stargan_tf.evaluation.results import MEASURES
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES

_OF_TASKS = ("fid", "lpips")
_SHOWN_TIMES = {"kid": 1000}  # As its title says.


def build(evaluation: Mapping[str, Any]) -> str:
    """Shows an evaluation.

    Args:
        evaluation: content of evaluation.json.

    Returns:
        HTML.
    """
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    modes = evaluation["limits"]["modes"]
    facts = [
        f"step {candidate['step']:,}",
        f"compared with the blessed model of step {blessed['step']:,}"
        if blessed
        else f"not compared: {html.escape(evaluation['not_compared'])}",
        f"features of {html.escape(candidate['extractor']['name'])} {candidate['extractor']['hash']}",
        f"distances of {html.escape(candidate['distance']['name'])} {candidate['distance']['hash']}",
    ]
    parts = [f"<p class='soft'>{'; '.join(facts)}.</p>"]
    if count := len(evaluation["reasons"]):
        parts.append(f"<p class='bad'>Not blessed; reasons, at the top of the page: {count}.</p>")
    else:
        parts.append("<p class='good'>Blessed.</p>")
    for mode in modes:
        parts.append(f"<h3>{mode.capitalize()}-guided, mean over all tasks</h3>{_overall(evaluation, mode)}")
        parts.append(
            f"<details style='margin:10px 0 20px'><summary>Each task</summary>{_tasks(evaluation, mode)}</details>"
        )
    return "".join(parts)


def _overall(evaluation: Mapping[str, Any], mode: str) -> str:
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    rows = []
    for measure, (title, form, _) in MEASURES.items():
        before = None if blessed is None else blessed[mode]["mean"][measure]
        rows.append(_row(evaluation, measure, title, form, candidate[mode]["mean"][measure], before))
    factors = (candidate.get(KNOWN_FACTORS) or {}).get(mode, {})
    factors_before = ((blessed or {}).get(KNOWN_FACTORS) or {}).get(mode, {})
    for measure, (title, form, _) in FACTOR_MEASURES.items():
        if measure in factors:
            rows.append(_row(evaluation, measure, title, form, factors[measure], factors_before.get(measure)))
    header = ("measure", "this model", "blessed before", "change", "limit", "may be worse by")
    return page.table(header, rows, numbers=(1, 2, 3, 4, 5), raw=(1, 2, 3, 4))


def _row(
    evaluation: Mapping[str, Any], measure: str, title: str, form: str, value: float, before: float | None
) -> tuple[str, ...]:
    higher, limits = HIGHER_IS_BETTER[measure], evaluation["limits"]
    arrow = "more is better" if higher else "less is better"
    change = ""
    if before:
        share = (value - before) / abs(before)
        better = share > 0 if higher else share < 0
        colour = "soft" if abs(share) < 0.005 else "good" if better else "bad"
        change = f"<span class='{colour}'>{share:+.1%}</span>" if abs(share) >= 0.0005 else "none"
    limit = limits["overall"].get(measure)
    times = _SHOWN_TIMES.get(measure, 1)
    margin = limits["margin_overall"].get(measure)
    return (
        f"{title} ({arrow})",
        form.format(value * times),
        "" if before is None else form.format(before * times),
        change,
        "" if limit is None else f"{'&ge;' if higher else '&le;'} {form.format(limit * times)}",
        "" if margin is None else f"{margin:.0%}",
    )


def _tasks(evaluation: Mapping[str, Any], mode: str) -> str:
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    rows = []
    for name, task in candidate[mode]["tasks"].items():
        cells = [f"{task['source']} to {task['target']}"]
        for measure in _OF_TASKS:
            _, form, _ = MEASURES[measure]
            cells.append(form.format(task[measure]))
            cells.append("" if blessed is None else form.format(blessed[mode]["tasks"][name][measure]))
        rows.append(tuple(cells))
    header = ["task"]
    for measure in _OF_TASKS:
        header += [MEASURES[measure][0], "blessed before"]
    return page.table(header, rows, numbers=range(1, len(header)))
