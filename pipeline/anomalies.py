"""What is wrong with a data set, judged by its statistics and by the schema of an earlier one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from data_prep.statistics import EDGES
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import OneOrMore, PositiveInt, Share
from stargan_tf.data.records import SUBSETS, split_name

# A difference between distributions counts as drift if chance alone would cause it less often than this.
_CHANCE = 0.001

# Kinds of anomalies, which `Thresholds.tolerated` takes, and their meanings.
KINDS = {
    "missing_domain": "an expected domain is missing",
    "new_domain": "a domain that was not expected",
    "domain_order": "the same domains in another order, and so with other labels",
    "image_size": "images of another size than before",
    "too_few_images": "a split with too few images",
    "count_changed": "a split with far fewer or far more images than before",
    "small_sources": "many sources are smaller than what is stored",
    "brightness_drift": "images are brighter or darker than before",
    "size_drift": "sources are of other sizes or shapes than before",
    "near_duplicates": "many validation images look like training images",
    "too_many_rejected": "many images could not be used",
}


@dataclass(frozen=True)
class Thresholds:
    """How far a data set may be off.

    Args:
        domains: names of the expected domains, in order; by default those of the schema.
        min_train_images: the fewest training images of a domain.
        min_val_images: the fewest validation images of a domain; the evaluator needs 2.
        max_count_ratio: how many times more or fewer images a split may have than in the schema; at least 1.
        max_small_sources: the largest share of a split's sources, 0 to 1, that are narrower or lower than the stored
            images, and so were enlarged.
        max_brightness_drift: the largest Kolmogorov-Smirnov distance, 0 to 1, of a split's brightness from that in the
            schema: the largest difference between the shares of images darker than any one level.
        max_size_drift: the same for widths, heights and aspect ratios of the sources.
        max_near_duplicates: the largest share of a split's validation images, 0 to 1, that look like a training image.
        max_rejected: the largest share of images, 0 to 1, that may be rejected, of each domain and of all.
        tolerated: kinds of anomalies that are reported and do not stop the run.
    """

    domains: list[str] | None = None
    min_train_images: PositiveInt = 2
    min_val_images: PositiveInt = 2
    max_count_ratio: OneOrMore = 2.0
    max_small_sources: Share = 0.5
    max_brightness_drift: Share = 0.2
    max_size_drift: Share = 0.2
    max_near_duplicates: Share = 0.2
    max_rejected: Share = 0.05
    tolerated: list[str] = field(default_factory=lambda: ["small_sources"])

    def check(self, prefix: str) -> None:
        """Checks that the tolerated kinds exist.

        Args:
            prefix: put before the name in the error, like `--thresholds.`.

        Raises:
            UserError: one does not.
        """
        unknown = [kind for kind in self.tolerated if kind not in KINDS]
        if unknown:
            raise UserError(f"{prefix}tolerated has {unknown[0]!r}; the kinds are {', '.join(KINDS)}")


@dataclass(frozen=True)
class Anomaly:
    """Something wrong with a data set.

    Args:
        kind: one of `KINDS`.
        domain: the domain with the anomaly; None for all.
        split: the split with the anomaly; None for all.
        value: what was found.
        limit: what is allowed.
        reason: a sentence.
    """

    kind: str
    domain: str | None
    split: str | None
    value: Any
    limit: Any
    reason: str


def find(
    statistics: Mapping[str, Any], schema: Mapping[str, Any] | None, thresholds: Thresholds
) -> list[dict[str, Any]]:
    """Finds what is wrong with a data set.

    Args:
        statistics: content of the statistics.json that statistics_gen wrote.
        schema: content of the schema.json of an earlier data set, if there was one.
        thresholds: how far it may be off.

    Returns:
        The fields of each `Anomaly`, and `blocking`, in the order of `KINDS`.
    """
    found = [
        *_domains(statistics, schema, thresholds),
        *_image_size(statistics, schema),
        *_counts(statistics, schema, thresholds),
        *_small_sources(statistics, thresholds),
        *(_drifts(statistics, schema, thresholds) if schema else ()),
        *_near_duplicates(statistics, thresholds),
        *_rejected(statistics, thresholds),
    ]
    order = list(KINDS)
    found.sort(key=lambda anomaly: order.index(anomaly.kind))
    return [{**asdict(anomaly), "blocking": anomaly.kind not in thresholds.tolerated} for anomaly in found]


def if_intended(found: Sequence[Mapping[str, Any]], thresholds: Thresholds) -> str | None:
    """Says how blocking anomalies are accepted, if the data are meant to be so.

    Args:
        found: what `find` returned.
        thresholds: how far the data may be off.

    Returns:
        A clause for the end of a sentence; None if nothing blocks.
    """
    kinds = dict.fromkeys(anomaly["kind"] for anomaly in found if anomaly["blocking"])
    if not kinds:
        return None
    tolerated = ", ".join(dict.fromkeys([*thresholds.tolerated, *kinds]))
    names = {"missing_domain", "new_domain", "domain_order"} & kinds.keys()
    without = ", and example_validator.domains names those of now" if names and thresholds.domains else ""
    return (
        f"if this is intended, accept it by example_validator: {{tolerated: [{tolerated}]}}{without}; later data are "
        "compared with this as soon as its model is served"
    )


def kolmogorov_smirnov(first: Sequence[int], second: Sequence[int]) -> float:
    """Compares two histograms with the same edges.

    The Kolmogorov-Smirnov distance is the largest difference between the shares that lie below any edge. It ignores the
    widths of the bars, so the last may be infinite, and finer bars do not increase it. SciPy has it only for samples,
    not for histograms.

    Args:
        first: number of values in each bar.
        second: the same for the other values.

    Returns:
        From 0 for the same shares to 1 for distributions without overlap.
    """
    below, largest = [0, 0], 0.0
    for counts in zip(first, second, strict=True):
        below = [below[i] + counts[i] for i in range(2)]
        largest = max(largest, abs(below[0] / sum(first) - below[1] / sum(second)))
    return largest


def largest_by_chance(count: int, other: int) -> float:
    """Returns how far apart two samples of the same distribution may lie by chance.

    Args:
        count: size of one sample.
        other: size of the other.

    Returns:
        The distance of `kolmogorov_smirnov` that is exceeded at most once in a thousand times.
        Source: N. Smirnov, Table for estimating the goodness of fit of empirical distributions, 1948.
    """
    return math.sqrt(-math.log(_CHANCE / 2) / 2 * (count + other) / (count * other))


def _domains(
    statistics: Mapping[str, Any], schema: Mapping[str, Any] | None, thresholds: Thresholds
) -> Iterator[Anomaly]:
    expected = thresholds.domains or (schema and schema["domains"])
    if not expected:
        return
    there = statistics["domains"]
    names = ", ".join(there)
    for domain in expected:
        if domain not in there:
            reason = f"domain {domain!r} is missing; the data has {names}"
            yield Anomaly("missing_domain", domain, None, there, expected, reason)
    for domain in there:
        if domain not in expected:
            reason = f"domain {domain!r} is new; expected are {', '.join(expected)}"
            yield Anomaly("new_domain", domain, None, there, expected, reason)
    if sorted(there) == sorted(expected) and list(there) != list(expected):
        reason = f"the domains are in the order {names}; expected is {', '.join(expected)}"
        yield Anomaly("domain_order", None, None, there, expected, reason)


def _image_size(statistics: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Iterator[Anomaly]:
    size, before = statistics["image_size"], schema and schema["image_size"]
    if before and list(size) != list(before):
        reason = f"images are {size[0]} x {size[1]} pixels (height x width); they were {before[0]} x {before[1]}"
        yield Anomaly("image_size", None, None, size, before, reason)


def _counts(
    statistics: Mapping[str, Any], schema: Mapping[str, Any] | None, thresholds: Thresholds
) -> Iterator[Anomaly]:
    for domain in statistics["domains"]:
        for subset in SUBSETS:
            split = split_name(subset, domain)
            count = statistics["splits"].get(split, {}).get("num_examples", 0)
            least = getattr(thresholds, f"min_{subset}_images")
            if count < least:
                reason = f"{split} has {count} images; at least {least} are needed"
                yield Anomaly("too_few_images", domain, split, count, least, reason)
                continue
            before = schema["splits"].get(split, {}).get("num_examples", 0) if schema else 0
            if before and not before / thresholds.max_count_ratio <= count <= before * thresholds.max_count_ratio:
                ratio = max(count / before, before / count)
                more = "more" if count > before else "fewer"
                reason = (
                    f"{split} has {count} images, {ratio:.3g} times {more} than the {before} before; "
                    f"{thresholds.max_count_ratio:g} times is allowed"
                )
                yield Anomaly("count_changed", domain, split, ratio, thresholds.max_count_ratio, reason)


def _splits(statistics: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Domain, subset, name and statistics of every split."""
    for domain in statistics["domains"]:
        for subset in SUBSETS:
            split = split_name(subset, domain)
            if split in statistics["splits"]:
                yield domain, subset, split, statistics["splits"][split]


def _small_sources(statistics: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Anomaly]:
    limit = thresholds.max_small_sources
    for domain, _, split, values in _splits(statistics):
        for side, stored in zip(("height", "width"), statistics["image_size"], strict=True):
            name = f"source_{side}"
            # Counts the bars that end at or below the stored size; a bar that contains it counts as large enough.
            bars = zip(EDGES[name][1:], values[name]["histogram"], strict=True)
            share = sum(count for end, count in bars if end <= stored) / values["num_examples"]
            if share > limit:
                reason = (
                    f"{share:.1%} of the sources of {split} have a {side} below {stored} pixels and were enlarged; "
                    f"{limit:.1%} is allowed"
                )
                yield Anomaly("small_sources", domain, split, share, limit, reason)


def _drifts(statistics: Mapping[str, Any], schema: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Anomaly]:
    compared = (
        ("brightness", "brightness_drift", "brightness", thresholds.max_brightness_drift),
        ("source_width", "size_drift", "width of the sources", thresholds.max_size_drift),
        ("source_height", "size_drift", "height of the sources", thresholds.max_size_drift),
        ("source_aspect", "size_drift", "aspect ratio of the sources", thresholds.max_size_drift),
    )
    for domain, _, split, values in _splits(statistics):
        if split not in schema["splits"]:
            continue
        for name, kind, meaning, threshold in compared:
            now, before = values[name], schema["splits"][split]["distributions"][name]
            distance = kolmogorov_smirnov(now["histogram"], before["histogram"])
            # With few images, a small drift cannot be told from chance.
            limit = max(threshold, largest_by_chance(now["count"], before["count"]))
            if distance > limit:
                reason = (
                    f"the {meaning} of {split} drifted by {distance:.3g} (Kolmogorov-Smirnov), from "
                    f"{before['mean']:.4g} to {now['mean']:.4g} in the mean; {limit:.3g} is allowed"
                )
                yield Anomaly(kind, domain, split, distance, limit, reason)


def _near_duplicates(statistics: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Anomaly]:
    limit = thresholds.max_near_duplicates
    for domain, _, split, values in _splits(statistics):
        share = statistics["near_duplicates_by_split"].get(split, 0) / values["num_examples"]
        if share > limit:
            reason = f"{share:.1%} of the images of {split} look like a training image; {limit:.1%} is allowed"
            yield Anomaly("near_duplicates", domain, split, share, limit, reason)


def _rejected(statistics: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Anomaly]:
    limit = thresholds.max_rejected
    share = statistics["num_rejected"] / max(1, statistics["num_images"])
    if share > limit:
        reason = f"{share:.1%} of the images were rejected; {limit:.1%} is allowed"
        yield Anomaly("too_many_rejected", None, None, share, limit, reason)
    written: dict[str, int] = {}
    for domain, _, _, values in _splits(statistics):
        written[domain] = written.get(domain, 0) + values["num_examples"]
    for domain, rejected in statistics["rejected_by_domain"].items():
        total = rejected + written.get(domain, 0) + statistics["duplicates_by_domain"].get(domain, 0)
        if rejected / total > limit:
            reason = f"{rejected / total:.1%} of the images of domain {domain!r} were rejected; {limit:.1%} is allowed"
            yield Anomaly("too_many_rejected", domain, None, rejected / total, limit, reason)
