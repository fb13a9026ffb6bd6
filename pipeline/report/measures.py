"""Tables of an evaluation: the model beside the one that was blessed before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.decision import HIGHER_IS_BETTER, KNOWN_FACTORS
from stargan_tf.evaluation.results import MEASURES
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES

_OF_TASKS = ("fid", "lpips")
_SHOWN_TIMES = {"kid": 1000}  # as its title says
_AT_LEAST, _AT_MOST = "\u2265", "\u2264"
_UNCHANGED, _INSIGNIFICANT = 0.0005, 0.005  # shares of the earlier value


@dataclass(frozen=True)
class Measure:
    """A row of the table of means.

    Args:
        title: name of the measure, and which direction is better.
        value: of this model.
        before: of the model blessed before; empty if there is none.
        change: relative to that.
        judgement: of the change, a CSS class: good, bad or soft.
        limit: absolute limit; empty if there is none.
        margin: how much worse than before is allowed; empty if that is not judged.
    """

    title: str
    value: str
    before: str
    change: str
    judgement: str
    limit: str
    margin: str


def means(evaluation: Mapping[str, Any], mode: str) -> Iterator[Measure]:
    """Yields a row for each measure.

    Args:
        evaluation: content of evaluation.json.
        mode: latent or reference.
    """
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    for measure, (title, form, _) in MEASURES.items():
        before = None if blessed is None else blessed[mode]["mean"][measure]
        yield _measure(evaluation, measure, title, form, candidate[mode]["mean"][measure], before)
    factors = (candidate.get(KNOWN_FACTORS) or {}).get(mode, {})
    factors_before = ((blessed or {}).get(KNOWN_FACTORS) or {}).get(mode, {})
    for measure, (title, form, _) in FACTOR_MEASURES.items():
        if measure in factors:
            yield _measure(evaluation, measure, title, form, factors[measure], factors_before.get(measure))


def tasks(evaluation: Mapping[str, Any], mode: str) -> tuple[list[str], list[list[str]]]:
    """Returns the header and the rows of the table of all tasks; arguments as of `means`."""
    candidate, blessed = evaluation["candidate"], evaluation["blessed"]
    header = ["task"]
    for measure in _OF_TASKS:
        header += [MEASURES[measure][0], "blessed before"]
    rows = []
    for name, task in candidate[mode]["tasks"].items():
        row = [f"{task['source']} to {task['target']}"]
        for measure in _OF_TASKS:
            _, form, _ = MEASURES[measure]
            row.append(form.format(task[measure]))
            row.append("" if blessed is None else form.format(blessed[mode]["tasks"][name][measure]))
        rows.append(row)
    return header, rows


def _measure(
    evaluation: Mapping[str, Any], measure: str, title: str, form: str, value: float, before: float | None
) -> Measure:
    higher, limits = HIGHER_IS_BETTER[measure], evaluation["limits"]
    limit, margin = limits["overall"].get(measure), limits["margin_overall"].get(measure)
    times = _SHOWN_TIMES.get(measure, 1)
    change, judgement = "", "soft"
    if before:
        share = (value - before) / abs(before)
        change = f"{share:+.1%}" if abs(share) >= _UNCHANGED else "none"
        if abs(share) >= _INSIGNIFICANT:
            judgement = "good" if (share > 0) == higher else "bad"
    return Measure(
        title=f"{title} ({'more' if higher else 'less'} is better)",
        value=form.format(value * times),
        before="" if before is None else form.format(before * times),
        change=change,
        judgement=judgement,
        limit="" if limit is None else f"{_AT_LEAST if higher else _AT_MOST} {form.format(limit * times)}",
        margin="" if margin is None else f"{margin:.0%}",
    )
