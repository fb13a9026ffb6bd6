"""The page of a report: HTML with inline SVG and images, without scripts and without anything from elsewhere."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from data_prep import page
from data_prep.statistics import CHANNELS, EDGES
from stargan_tf.data.records import SUBSETS, split_name

_THUMBNAIL = 128  # The longer side, in pixels.
_COLOURS = {"red": "#d64545", "green": "#2f9e5b", "blue": "#3b6fd4"}
_HISTOGRAMS = (
    ("source_width", "Width of the sources", "px"),
    ("source_height", "Height of the sources", "px"),
    ("source_aspect", "Width : height of the sources", ""),
    ("source_jpeg_quality", "Estimated JPEG quality of the sources", ""),
    ("brightness", "Brightness of the stored images", ""),
    ("stored_bytes", "Size of a stored image", "B"),
)


@dataclass(frozen=True)
class Sample:
    """An image of the data, ready to be shown.

    Args:
        key: key of its example.
        split: name of its split.
        address: a data URL.
    """

    key: str
    split: str
    address: str

    @classmethod
    def of(cls, key: str, split: str, stored: bytes, settings: Mapping[str, Any]) -> "Sample":
        """Makes a thumbnail of a stored image; `settings` are those of the manifest."""
        if settings["encoding"] == "raw":
            image = Image.fromarray(np.frombuffer(stored, np.uint8).reshape(*settings["image_size"], 3))
        else:
            image = Image.open(io.BytesIO(stored)).convert("RGB")
        image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
        encoded = io.BytesIO()
        image.save(encoded, "JPEG", quality=85)
        return cls(key, split, f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}")


def build(
    name: str,
    settings: Mapping[str, Any],
    statistics: Mapping[str, Any],
    samples: Mapping[str, Sequence[Sample]],
    rejected: Sequence[Mapping[str, Any]],
    duplicates: Sequence[Mapping[str, Any]],
    num_duplicates_by_reason: Mapping[str, int],
    pairs: Sequence[Mapping[str, Any]],
    looks: Mapping[tuple[str, str], Sample],
) -> str:
    """Writes the page.

    Args:
        name: what the data is called.
        settings: of the manifest.
        statistics: the content of statistics.json.
        samples: images by domain.
        rejected: the first rejected images.
        duplicates: the first images dropped as duplicates.
        num_duplicates_by_reason: how many of all were dropped, by reason.
        pairs: the first pairs across training and validation that look alike.
        looks: their images, by split and key.

    Returns:
        HTML.
    """
    height, width = settings["image_size"]
    title = html.escape(name)
    sections = [
        f"<h1>{title}</h1><p class='soft'>{len(statistics['domains'])} domains, {width} &times; {height} px, "
        f"stored as {_stored_as(settings)}</p>",
        tiles(statistics),
        "<h2>Domains</h2>" + domains(statistics),
        "<p class='soft' style='margin-top:12px'>Below, framed images are of the validation set.</p>",
        *(_images(domain, of_domain) for domain, of_domain in samples.items()),
        "<h2>Distributions</h2>" + charts(statistics),
        "<h2>Rejected images</h2>" + _rejected(statistics, rejected),
        "<h2>Exact duplicates</h2>" + _duplicates(statistics, duplicates, num_duplicates_by_reason),
        "<h2>Look alike across training and validation</h2>" + _pairs(statistics, pairs, looks),
        "<h2>Settings</h2>" + page.table(("setting", "value"), [(key, str(value)) for key, value in settings.items()]),
    ]
    return page.document(f"{name}: data report", sections)


def _stored_as(settings: Mapping[str, Any]) -> str:
    if settings["encoding"] == "raw":
        return "pixels"
    quality = f" of quality {settings['quality']}" if settings["encoding"] == "jpeg" else ""
    return f"{settings['encoding'].upper()}{quality} where they had to be changed"


def tiles(statistics: Mapping[str, Any]) -> str:
    """Shows what came of all images as numbers; `statistics` is the content of statistics.json, as below."""
    size = sum(split["num_bytes"] for split in statistics["splits"].values())
    counts = (
        ("images in the input", statistics["num_images"]),
        ("written", statistics["num_written"]),
        ("rejected", statistics["num_rejected"]),
        ("duplicates", statistics["num_duplicates"]),
        ("pairs that look alike", statistics["num_near_duplicates"]),
    )
    cells = [f"<div class='card'><b>{value:,}</b><span class='soft'>{label}</span></div>" for label, value in counts]
    cells.append(f"<div class='card'><b>{page.format_bytes(size)}</b><span class='soft'>of images</span></div>")
    ignored = ", ".join(f"{count:,} {html.escape(kind)}" for kind, count in statistics["ignored"].items())
    note = f"<p class='soft' style='margin-top:12px'>Not taken for input: {ignored}.</p>" if ignored else ""
    return f"<div class='tiles' style='margin-top:20px'>{''.join(cells)}</div>{note}"


def domains(statistics: Mapping[str, Any]) -> str:
    """Shows counts, formats and levels of each domain as a table."""
    rows = []
    for domain in statistics["domains"]:
        splits = [statistics["splits"].get(split_name(subset, domain)) for subset in SUBSETS]
        there = [split for split in splits if split]
        total = sum(split["num_examples"] for split in there)
        kept = sum(split["num_kept_byte_for_byte"] for split in there)
        formats: dict[str, int] = {}
        for split in there:
            for kind, count in split["source_formats"].items():
                formats[kind] = formats.get(kind, 0) + count
        train = splits[0] or there[0]
        pixels = train["stored_pixels"]
        means = " ".join(
            f"<span style='color:{_COLOURS[channel]}'>{pixels[channel]['mean']:.0f}&thinsp;&plusmn;&thinsp;"
            f"{pixels[channel]['deviation']:.0f}</span>"
            for channel in CHANNELS
        )
        counts = [f"{split['num_examples']:,}" if split else "0" for split in splits]
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(formats.items(), key=lambda pair: -pair[1]))
        rows.append((domain, *counts, kinds, f"{kept / total:.0%}", means))
    header = ("domain", "train", "val", "formats of the sources", "stored byte for byte", "levels, mean and deviation")
    return page.table(header, rows, numbers=(1, 2), raw=(5,))


def _images(domain: str, samples: Sequence[Sample]) -> str:
    figures = "".join(
        f"<figure class='{sample.split.partition('_')[0]}'>"
        f"<img src='{sample.address}' alt='{html.escape(sample.key, True)}' title='{html.escape(sample.key, True)}'>"
        "</figure>"
        for sample in samples
    )
    return f"<h2>{html.escape(domain)}</h2><div class='images'>{figures}</div>"


def charts(statistics: Mapping[str, Any]) -> str:
    """Shows the distributions of what was measured of all images as histograms."""
    cards = []
    for name, title, unit in _HISTOGRAMS:
        by_subset = {subset: [0] * (len(EDGES[name]) - 1) for subset in SUBSETS}
        for split, values in statistics["splits"].items():
            bars = by_subset[split.partition("_")[0]]
            for index, count in enumerate(values[name].get("histogram", ())):
                bars[index] += count
        if not any(any(bars) for bars in by_subset.values()):
            continue
        cards.append(f"<div class='card'><h3>{title}</h3>{_histogram(EDGES[name], by_subset, unit)}</div>")
    legend = "<p class='soft'><span style='color:var(--accent)'>&#9632;</span> training, "
    legend += "<span style='color:var(--val)'>&#9632;</span> validation</p>"
    return f"{legend}<div class='charts'>{''.join(cards)}</div>"


def _histogram(edges: Sequence[float], by_subset: Mapping[str, Sequence[int]], unit: str) -> str:
    """Bars with training below and validation on top, without the empty ends."""
    totals = [sum(counts) for counts in zip(*by_subset.values(), strict=True)]
    filled = [index for index, total in enumerate(totals) if total]
    first, last = max(0, filled[0] - 1), min(len(totals) - 1, filled[-1] + 1)
    width, height, bottom, top = 320, 150, 24, 14
    step = width / (last - first + 1)
    scale = (height - bottom - top) / max(totals)
    parts = [f"<line class='axis' x1='0' x2='{width}' y1='{height - bottom}' y2='{height - bottom}'/>"]
    every = -(-(last - first + 1) // 7)
    for position, index in enumerate(range(first, last + 1)):
        y = height - bottom
        for subset, counts in by_subset.items():
            tall = counts[index] * scale
            y -= tall
            if counts[index]:
                parts.append(
                    f"<rect class='{subset}-bar' x='{position * step + 1:.1f}' y='{y:.1f}' width='{step - 2:.1f}' "
                    f"height='{tall:.1f}'><title>{_span(edges, index, unit)}: {counts[index]:,} of {subset}</title>"
                    "</rect>"
                )
        if totals[index] == max(totals):
            parts.append(
                f"<text x='{(position + 0.5) * step:.1f}' y='{y - 4:.1f}' text-anchor='middle'>{totals[index]:,}</text>"
            )
        if position % every == 0:
            anchor = "start" if position == 0 else "middle"
            parts.append(
                f"<text x='{position * step:.1f}' y='{height - 8}' text-anchor='{anchor}'>{_edge(edges[index])}</text>"
            )
    return f"<svg viewBox='0 0 {width} {height}' role='img'>{''.join(parts)}</svg>"


def _span(edges: Sequence[float], index: int, unit: str) -> str:
    low, high = edges[index], edges[index + 1]
    return f"{_edge(low)} {unit} and more" if high == float("inf") else f"{_edge(low)} to {_edge(high)} {unit}"


def _edge(value: float) -> str:
    return f"{value / 1024:g}K" if value >= 1024 and value % 1024 == 0 else f"{value:g}"


def _rejected(statistics: Mapping[str, Any], rejected: Sequence[Mapping[str, Any]]) -> str:
    if not statistics["num_rejected"]:
        return "<p class='soft'>None.</p>"
    reasons = ", ".join(
        f"{count:,} {reason.replace('_', ' ')}" for reason, count in statistics["rejected_by_reason"].items()
    )
    rows = [(entry["path"], entry["domain"], entry["reason"].replace("_", " "), entry["error"]) for entry in rejected]
    table = page.table(("path", "domain", "reason", "error"), rows)
    return f"<p>{reasons}</p>{table}{_more(len(rejected), statistics['num_rejected'])}"


def _duplicates(
    statistics: Mapping[str, Any], duplicates: Sequence[Mapping[str, Any]], by_reason: Mapping[str, int]
) -> str:
    if not statistics["num_duplicates"]:
        return "<p class='soft'>None.</p>"
    reasons = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in sorted(by_reason.items()))
    rows = [
        (entry["path"], entry["domain"], entry["reason"].replace("_", " "), entry["same_as"]) for entry in duplicates
    ]
    table = page.table(("dropped", "domain", "reason", "same as"), rows)
    return f"<p>{reasons}</p>{table}{_more(len(duplicates), statistics['num_duplicates'])}"


def _pairs(
    statistics: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]], looks: Mapping[tuple[str, str], Sample]
) -> str:
    if not pairs:
        return "<p class='soft'>None.</p>"
    cards = []
    for pair in pairs:
        sides = (looks[pair["val_split"], pair["val"]], looks[pair["train_split"], pair["train"]])
        images = "".join(
            f"<div><img src='{side.address}' alt=''><span class='{css}'>{subset}</span> {html.escape(side.key)}</div>"
            for side, subset, css in zip(sides, ("val", "train"), ("tag", "soft"), strict=True)
        )
        cards.append(f"<div class='card pair'>{images}</div>")
    return f"<div class='pairs'>{''.join(cards)}</div>{_more(len(pairs), statistics['num_near_duplicates'])}"


def _more(shown: int, total: int) -> str:
    return f"<p class='soft' style='margin-top:6px'>The first {shown:,} of {total:,}.</p>" if shown < total else ""
