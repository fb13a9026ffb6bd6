"""Summary of the features of many images: moments of all, and a sample for metrics that compare single features."""

from collections.abc import Mapping, Sequence

import numpy as np

from stargan_tf.metrics.extractors import FeatureExtractor
from stargan_tf.metrics.frechet import Moments


class FeatureSummary:
    """Collects the features of a known number of images, in order, in memory that does not grow with that number.

    The sample is drawn beforehand, by index, so it depends neither on the features nor on the batches they come in.

    Args:
        extractor: where the features come from.
        total: number of images.
        limit: size of the sample; of fewer images all features are kept.
        seed: words of the seed that draws the sample.

    Attributes:
        moments: of all features so far.
        sample: features kept, [min(total, limit), D] float32; complete once all images are added.
    """

    def __init__(self, extractor: FeatureExtractor, total: int, limit: int, seed: Sequence[int]):
        self.moments = Moments.of(extractor)
        count = min(total, limit)
        drawn = np.random.default_rng(list(seed)).choice(total, count, replace=False, shuffle=False)
        self._positions = np.sort(drawn)
        self.sample = np.zeros((count, extractor.dim), np.float32)

    def add(self, features: np.ndarray) -> None:
        """Adds the features [N, D] of the next images."""
        first = self.moments.count
        start, stop = np.searchsorted(self._positions, (first, first + len(features)))
        self.sample[start:stop] = features[self._positions[start:stop] - first]
        self.moments.add(features)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        return self.moments.to_arrays() | {"positions": self._positions, "sample": self.sample}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "FeatureSummary":
        """Restores what `to_arrays` gave."""
        summary = cls.__new__(cls)
        summary.moments = Moments.from_arrays(arrays)
        summary._positions, summary.sample = arrays["positions"], arrays["sample"]
        return summary
