"""Statistics of the images of a split, kept as integer sums, so that the order of adding does not change them."""

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data_prep.images import PreparedImage
from stargan_tf.config import ValueRange
from stargan_tf.data.records import SUBSETS, split_name
from stargan_tf.data.value_ranges import FULL

# Edges of the bars of each histogram.
EDGES: Mapping[str, Sequence[float]] = {
    "source_width": (0, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, float("inf")),
    "source_height": (0, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, float("inf")),
    "source_aspect": (0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.25, 1.45, 1.65, 2, 2.5, float("inf")),  # width / height
    "source_jpeg_quality": tuple(range(0, 101, 5)),
    "brightness": tuple(range(0, 257, 16)),  # mean over a stored image
    "stored_bytes": (0, *(1 << power for power in range(9, 22)), float("inf")),
}
CHANNELS = ("red", "green", "blue")
_LUMA_OF_LEVELS = np.outer([299, 587, 114], np.arange(256)).ravel()  # ITU-R BT.601, times 1000
_SCALE = 1000  # fractions are kept as thousandths


@dataclass
class Distribution:
    """The distribution of a number, in thousandths.

    Args:
        count: number of values.
        total: their sum.
        total_squares: sum of their squares.
        least: the smallest value; None if there is none.
        most: the largest value; None if there is none.
        histogram: number of values between every two neighbouring edges.
    """

    count: int = 0
    total: int = 0
    total_squares: int = 0
    least: int | None = None
    most: int | None = None
    histogram: list[int] = field(default_factory=list)

    def add(self, value: float, edges: Sequence[float]) -> None:
        """Adds a value."""
        thousandths = round(value * _SCALE)
        self.count += 1
        self.total += thousandths
        self.total_squares += thousandths**2
        self.least = thousandths if self.least is None else min(self.least, thousandths)
        self.most = thousandths if self.most is None else max(self.most, thousandths)
        self.histogram = self.histogram or [0] * (len(edges) - 1)
        self.histogram[min(bisect.bisect_right(edges, value), len(edges) - 1) - 1] += 1

    def merge(self, other: "Distribution") -> None:
        """Adds the values of another distribution with the same edges."""
        if other.least is None or other.most is None:
            return
        self.count += other.count
        self.total += other.total
        self.total_squares += other.total_squares
        self.least = other.least if self.least is None else min(self.least, other.least)
        self.most = other.most if self.most is None else max(self.most, other.most)
        self.histogram = [
            a + b for a, b in zip(self.histogram or [0] * len(other.histogram), other.histogram, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Returns count, mean, standard deviation, smallest and largest value, and histogram."""
        if self.least is None or self.most is None:
            return {"count": 0}
        mean = self.total / self.count
        variance = max(0, self.count * self.total_squares - self.total**2) / self.count**2
        return {
            "count": self.count,
            "mean": mean / _SCALE,
            "deviation": variance**0.5 / _SCALE,
            "least": self.least / _SCALE,
            "most": self.most / _SCALE,
            "histogram": self.histogram,
        }


@dataclass
class SplitStatistics:
    """Statistics of the images of one split, or of a part of it.

    Args:
        num_examples: number of images.
        num_kept: number of images stored byte for byte as they were.
        num_bytes: bytes of all stored images, without the overhead of records.
        formats: number of sources by format.
        modes: number of sources by Pillow's mode of their pixels.
        pixel_levels: how often each level 0 to 255 occurs in the stored images: red, then green, then blue.
        numbers: distributions by the names in `EDGES`.
        num_deep: number of sources of 16 bits.
        deep_values: the least and the greatest value in these.
    """

    num_examples: int = 0
    num_kept: int = 0
    num_bytes: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    pixel_levels: np.ndarray = field(default_factory=lambda: np.zeros(768, np.int64))
    numbers: dict[str, Distribution] = field(default_factory=lambda: {name: Distribution() for name in EDGES})
    num_deep: int = 0
    deep_values: Sequence[int] = ()

    def add(self, prepared: PreparedImage) -> None:
        """Adds an image."""
        levels = np.array(prepared.image.histogram())
        height, width = prepared.source_size
        brightness = int(_LUMA_OF_LEVELS @ levels) / (1000 * prepared.image.width * prepared.image.height)
        self.num_examples += 1
        self.num_kept += prepared.kept
        self.num_bytes += len(prepared.data)
        self.formats[prepared.source_format] += 1
        self.modes[prepared.source_mode] += 1
        self.pixel_levels += levels
        if prepared.source_values is not None:
            self._add_deep(1, prepared.source_values)
        values = {
            "source_width": width,
            "source_height": height,
            "source_aspect": width / height,
            "source_jpeg_quality": prepared.source_quality,
            "brightness": brightness,
            "stored_bytes": len(prepared.data),
        }
        for name, value in values.items():
            if value is not None:
                self.numbers[name].add(value, EDGES[name])

    def merge(self, other: "SplitStatistics") -> None:
        """Adds the images of another part."""
        self.num_examples += other.num_examples
        self.num_kept += other.num_kept
        self.num_bytes += other.num_bytes
        self.formats += other.formats
        self.modes += other.modes
        self.pixel_levels += other.pixel_levels
        for name, numbers in self.numbers.items():
            numbers.merge(other.numbers[name])
        self._add_deep(other.num_deep, other.deep_values)

    def _add_deep(self, count: int, values: Sequence[int]) -> None:
        self.num_deep += count
        both = [*self.deep_values, *values]
        self.deep_values = (min(both), max(both)) if both else ()

    def to_json(self) -> dict[str, Any]:
        """Returns a JSON object from which `from_json` restores the statistics."""
        return {
            **{
                name: getattr(self, name)
                for name in ("num_examples", "num_kept", "num_bytes", "num_deep", "deep_values")
            },
            "pixel_levels": self.pixel_levels.tolist(),
            "formats": dict(sorted(self.formats.items())),
            "modes": dict(sorted(self.modes.items())),
            "numbers": {name: vars(numbers) for name, numbers in self.numbers.items()},
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "SplitStatistics":
        """Restores statistics from what `to_json` returned."""
        numbers = {name: Distribution(**values) for name, values in entry["numbers"].items()}
        counters = {name: Counter(entry[name]) for name in ("formats", "modes")}
        levels = np.array(entry["pixel_levels"], np.int64)
        return cls(**{**entry, "numbers": numbers, "pixel_levels": levels, **counters})

    def summary(self) -> dict[str, Any]:
        """Returns the entry of statistics.json: means and deviations besides counts and histograms."""
        channels = {}
        for channel, counts in zip(CHANNELS, self.pixel_levels.reshape(3, 256), strict=True):
            count = int(counts.sum()) or 1
            mean = int(counts @ np.arange(256)) / count
            variance = int(counts @ np.arange(256) ** 2) / count - mean**2
            channels[channel] = {"mean": mean, "deviation": max(0.0, variance) ** 0.5}
        return {
            "num_examples": self.num_examples,
            "num_kept_byte_for_byte": self.num_kept,
            "num_bytes": self.num_bytes,
            "source_formats": dict(sorted(self.formats.items())),
            "source_modes": dict(sorted(self.modes.items())),
            "stored_pixels": channels,
            **({"deep_sources": {"count": self.num_deep, "values": list(self.deep_values)}} if self.num_deep else {}),
            **{name: numbers.summary() for name, numbers in self.numbers.items()},
        }


def find_narrow_values(
    statistics: Mapping[str, SplitStatistics], domains: Sequence[str], value_range: ValueRange
) -> list[str]:
    """Finds domains whose images of 16 bits use so little of the range that they come out nearly black, or flat.

    Args:
        statistics: by name of the split.
        domains: names of the domains.
        value_range: what becomes black and white.

    Returns:
        A sentence for each domain that uses less than an eighth of it.
    """
    if value_range == "file":
        return []
    black, white = FULL if value_range == "full" else value_range
    sentences = []
    for domain in domains:
        both = SplitStatistics()
        for subset in SUBSETS:
            if (name := split_name(subset, domain)) in statistics:
                both.merge(statistics[name])
        if both.num_deep:
            least, most = (min(max(value, black), white) for value in both.deep_values)
            if 8 * (most - least) < white - black:
                sentences.append(
                    f"the values of domain {domain!r} in {both.num_deep} images of 16 bits go from "
                    f"{both.deep_values[0]} to {both.deep_values[1]}, less than an eighth of the range of {black} to "
                    f"{white}, so that little is to be seen; give --value_range "
                    f"[{both.deep_values[0]},{both.deep_values[1]}], or --value_range file"
                )
    return sentences
