"""The page of a data directory: what the templates show, made of the files of the job."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_prep.report import charts
from data_prep.report.rendering import render
from data_prep.report.samples import Sample
from data_prep.statistics import EDGES
from stargan_tf.data.records import SUBSETS, split_name

_HISTOGRAMS = (
    ("source_width", "Width of the sources", "px"),
    ("source_height", "Height of the sources", "px"),
    ("source_aspect", "Width : height of the sources", ""),
    ("source_jpeg_quality", "Estimated JPEG quality of the sources", ""),
    ("brightness", "Brightness of the stored images", ""),
    ("stored_bytes", "Size of a stored image", "B"),
)
_SUBSET_NAMES = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class Chart:
    """A chart as a page shows it.

    Args:
        title: what is drawn.
        address: data URL of the picture.
        values: the numbers that are drawn, for those who do not see the picture, or want to know exactly.
    """

    title: str
    address: str
    values: str


def build(
    name: str,
    settings: Mapping[str, Any],
    statistics: Mapping[str, Any],
    samples: Mapping[str, Sequence[Sample]],
    rejected: Sequence[Mapping[str, Any]],
    duplicates: Sequence[Mapping[str, Any]],
    num_duplicates_by_reason: Mapping[str, int],
    pairs: Sequence[Mapping[str, Any]],
    pair_images: Mapping[tuple[str, str], Sample],
) -> str:
    """Writes the page.

    Args:
        name: what the data is called.
        settings: of the manifest.
        statistics: content of statistics.json.
        samples: images by domain.
        rejected: the first rejected images.
        duplicates: the first images dropped as duplicates.
        num_duplicates_by_reason: number of all duplicates, by reason.
        pairs: the first pairs across training and validation that look alike.
        pair_images: their images, by split and key.

    Returns:
        HTML.
    """
    return render(
        "data_report.html",
        name=name,
        settings=settings,
        statistics=describe(statistics),
        samples=samples,
        num_rejected=statistics["num_rejected"],
        rejected_by_reason=statistics["rejected_by_reason"],
        rejected=[_with_words(entry, "path", "domain", "reason", "error") for entry in rejected],
        num_duplicates=statistics["num_duplicates"],
        duplicates_by_reason=num_duplicates_by_reason,
        duplicates=[_with_words(entry, "path", "domain", "reason", "same_as") for entry in duplicates],
        num_near_duplicates=statistics["num_near_duplicates"],
        pairs=[[pair_images[pair[f"{subset}_split"], pair[subset]] for subset in ("val", "train")] for pair in pairs],
    )


def describe(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the macros `tiles`, `domains` and `charts` show of the content of statistics.json."""
    return {
        "counts": (
            ("images in the input", statistics["num_images"]),
            ("written", statistics["num_written"]),
            ("rejected", statistics["num_rejected"]),
            ("duplicates", statistics["num_duplicates"]),
            ("pairs that look alike", statistics["num_near_duplicates"]),
        ),
        "num_bytes": sum(split["num_bytes"] for split in statistics["splits"].values()),
        "ignored": statistics["ignored"],
        "warnings": statistics.get("warnings", ()),  # those of earlier versions have none
        "domains": [_describe_domain(domain, statistics["splits"]) for domain in statistics["domains"]],
        "legend": list(zip(_SUBSET_NAMES.values(), charts.COLOURS, strict=True)),
        "charts": list(_histograms(statistics["splits"])),
    }


def _describe_domain(domain: str, splits: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table: numbers of images, formats of their sources, and the levels of the training images."""
    by_subset = {subset: splits[name] for subset in SUBSETS if (name := split_name(subset, domain)) in splits}
    counts = {subset: split["num_examples"] for subset, split in by_subset.items()}
    formats: Counter[str] = Counter()
    for split in by_subset.values():
        formats.update(split["source_formats"])
    return {
        "name": domain,
        "train": counts.get("train", 0),
        "val": counts.get("val", 0),
        "formats": formats.most_common(),
        "kept": sum(split["num_kept_byte_for_byte"] for split in by_subset.values()) / sum(counts.values()),
        "levels": next(iter(by_subset.values()))["stored_pixels"],
    }


def _histograms(splits: Mapping[str, Any]) -> Iterator[Chart]:
    for name, title, unit in _HISTOGRAMS:
        counts = {subset: [0] * (len(EDGES[name]) - 1) for subset in SUBSETS}
        for split, values in splits.items():
            for index, count in enumerate(values[name].get("histogram", ())):
                counts[split.partition("_")[0]][index] += count
        lines = [
            f"{_span(EDGES[name], index, unit)}: "
            + ", ".join(f"{of_bar[i]:,} {_SUBSET_NAMES[subset]}" for i, subset in enumerate(counts) if of_bar[i])
            for index, of_bar in enumerate(zip(*counts.values(), strict=True))
            if any(of_bar)
        ]
        if lines:
            yield Chart(title, charts.address(charts.histogram(EDGES[name], counts)), "\n".join(lines))


def _span(edges: Sequence[float], index: int, unit: str) -> str:
    low, high = (charts.format_edge(edge) for edge in edges[index : index + 2])
    return f"{low} {unit} and more" if high == "inf" else f"{low} to {high} {unit}".rstrip()


def _with_words(entry: Mapping[str, Any], *columns: str) -> list[str]:
    """A row of a table; a reason is told in words."""
    return [entry[name].replace("_", " ") if name == "reason" else entry[name] for name in columns]
