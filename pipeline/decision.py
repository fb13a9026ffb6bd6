"""Whether a model is good enough, decided from its evaluation and that of the model blessed before it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stargan_tf.base.errors import UserError
from stargan_tf.evaluation.results import MEASURES
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES

KNOWN_FACTORS = "known_factors"

# Whether higher is better, for each measure of the protocol and of data with known factors.
HIGHER_IS_BETTER = {name: higher for name, (_, _, higher) in (MEASURES | FACTOR_MEASURES).items()}


@dataclass(frozen=True)
class Limits:
    """What a model must reach. A limit is a maximum for measures of which less is better (fid, kid, place, size, hue,
    hue_of_source, cycle) and a minimum for all others (lpips, precision, recall, density, coverage, domain, ...).

    Args:
        overall: absolute limits of means over all tasks, by measure, like {"fid": 60}.
        each_task: absolute limits of each task (ordered pair of domains, like cat2dog), by measure.
        margin_overall: by how much a mean may be worse than that of the blessed model, as a share of it, by measure.
        margin_each_task: the same for each task, where chance plays a greater part.
        modes: which translations are judged: latent, reference, or both.
        floor: whether every task must have precision and recall above 0, and a FID below that of its sources
            themselves, whatever the other limits are: a model without that translates nothing.
    """

    overall: dict[str, float] = field(default_factory=dict)
    each_task: dict[str, float] = field(default_factory=dict)
    margin_overall: dict[str, float] = field(default_factory=lambda: {"fid": 0.1, "lpips": 0.1})
    margin_each_task: dict[str, float] = field(default_factory=lambda: {"fid": 0.25, "lpips": 0.25})
    modes: list[str] = field(default_factory=lambda: ["latent", "reference"])
    floor: bool = True

    def check(self) -> None:
        """Checks every value.

        Raises:
            UserError: the first mistake found.
        """
        for name in ("overall", "each_task", "margin_overall", "margin_each_task"):
            # Known factors are measured over all tasks together, not for each.
            known = HIGHER_IS_BETTER if name.endswith("overall") else MEASURES
            for measure, value in getattr(self, name).items():
                if measure not in known:
                    raise UserError(f"{name} has {measure!r}; the measures are {', '.join(known)}")
                if not math.isfinite(value) or (name.startswith("margin") and value < 0):
                    wanted = "a share, at least 0" if name.startswith("margin") else "a number"
                    raise UserError(f"{name} of {measure} is {value}; it must be {wanted}")
        if not self.modes or not set(self.modes) <= {"latent", "reference"} or len(set(self.modes)) < len(self.modes):
            raise UserError(f"modes are {self.modes}; they must be latent, reference, or both")

    @property
    def needs_known_factors(self) -> bool:
        """Whether there is a limit or margin of a measure that only data with known factors has."""
        return bool({*self.overall, *self.margin_overall} - MEASURES.keys())


def decide(
    candidate: Mapping[str, Any],
    blessed: Mapping[str, Any] | None,
    limits: Limits,
    untranslated: Mapping[str, float] | None = None,
) -> list[str]:
    """Finds the reasons why a model must not be served.

    Args:
        candidate: evaluation of the model: the result of `Evaluator.evaluate`, and the result of
            `known_factors.evaluate` as `known_factors`, or None where the data has none.
        blessed: the same for the blessed model, if there is one.
        limits: what the model must reach.
        untranslated: FID of the sources of each task themselves, for the floor; None if it was not measured.

    Returns:
        Sentences; none if it may be served.

    Raises:
        ValueError: the evaluations were not made with the same data, networks and settings.
    """
    if blessed is not None:
        for name in ("data", "extractor", "distance", "settings"):
            if candidate[name] != blessed[name]:
                raise ValueError(f"{name} differ: {candidate[name]} of the model, {blessed[name]} of the blessed one")
    reasons = list(_not_finite(candidate, limits))
    if limits.floor:
        reasons += _below_the_floor(candidate, limits, untranslated or {})
    for where, measure, value, of_blessed in _overall(candidate, blessed, limits):
        reasons += _judge(where, measure, value, of_blessed, limits.overall, limits.margin_overall)
    for mode in limits.modes:
        for task, values in candidate[mode]["tasks"].items():
            of_blessed = None if blessed is None else blessed[mode]["tasks"][task]
            for measure in MEASURES:
                reasons += _judge(
                    f"{mode}-guided {task}",
                    measure,
                    values[measure],
                    None if of_blessed is None else of_blessed[measure],
                    limits.each_task,
                    limits.margin_each_task,
                )
    if limits.needs_known_factors and not candidate.get(KNOWN_FACTORS):
        reasons.append("there are limits of known factors, and the data has none")
    return reasons


def _not_finite(candidate: Mapping[str, Any], limits: Limits) -> Iterator[str]:
    """Measures that are not finite, which comparisons with limits do not find."""
    for mode in limits.modes:
        for task, values in candidate[mode]["tasks"].items():
            for measure in MEASURES:
                if not math.isfinite(values[measure]):
                    yield f"{mode}-guided {task}: {measure} is {values[measure]}"


def _below_the_floor(candidate: Mapping[str, Any], limits: Limits, untranslated: Mapping[str, float]) -> Iterator[str]:
    """Tasks whose translations are worse than none."""
    for mode in limits.modes:
        for task, values in candidate[mode]["tasks"].items():
            for measure in ("precision", "recall"):
                if values[measure] <= 0:
                    yield f"{mode}-guided {task}: {measure} is 0; the floor is above 0 (limits.floor)"
            if task in untranslated and values["fid"] >= untranslated[task]:
                yield (
                    f"{mode}-guided {task}: fid is {values['fid']:.4g}; the floor is below {untranslated[task]:.4g}, "
                    "that of the sources themselves (limits.floor)"
                )


def _overall(
    candidate: Mapping[str, Any], blessed: Mapping[str, Any] | None, limits: Limits
) -> Iterator[tuple[str, str, float, float | None]]:
    """Place, measure, value, and value of the blessed model, for each mean."""
    for mode in limits.modes:
        for measure in MEASURES:
            of_blessed = None if blessed is None else blessed[mode]["mean"][measure]
            yield f"{mode}-guided, overall", measure, candidate[mode]["mean"][measure], of_blessed
        factors, factors_of_blessed = (
            ((evaluation or {}).get(KNOWN_FACTORS) or {}).get(mode, {}) for evaluation in (candidate, blessed)
        )
        for measure, value in factors.items():
            yield f"{mode}-guided, overall", measure, value, factors_of_blessed.get(measure)


def _judge(
    where: str,
    measure: str,
    value: float,
    of_blessed: float | None,
    limits: Mapping[str, float],
    margins: Mapping[str, float],
) -> Iterator[str]:
    """Compares one number with its limit and with that of the blessed model."""
    higher = HIGHER_IS_BETTER[measure]
    if measure in limits and not _reaches(value, limits[measure], higher):
        yield f"{where}: {measure} is {value:.4g}; it must be at {'least' if higher else 'most'} {limits[measure]:g}"
    # A blessed model that draws nothing of this data has no finite value to compare with.
    if measure in margins and of_blessed is not None and math.isfinite(of_blessed):
        allowed = margins[measure] * abs(of_blessed)
        bound = of_blessed - allowed if higher else of_blessed + allowed
        if not _reaches(value, bound, higher):
            yield (
                f"{where}: {measure} is {value:.4g}, worse than the {of_blessed:.4g} of the blessed model by more than "
                f"{margins[measure]:.0%}"
            )


def _reaches(value: float, limit: float, higher: bool) -> bool:
    return value >= limit if higher else value <= limit
