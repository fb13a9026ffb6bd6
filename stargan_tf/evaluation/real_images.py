"""Features of the training images that translations are compared with, computed once for all evaluations."""

import hashlib
from pathlib import Path

from stargan_tf.base import writing
from stargan_tf.base.file_names import file_name
from stargan_tf.base.progress import Progress
from stargan_tf.data import records
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.evaluation.feature_summary import FeatureSummary
from stargan_tf.metrics.extractors import FeatureExtractor

# Files of another version are ignored.
_VERSION = 1

# Images read at once.
_BLOCK = 64


class RealImages:
    """Summarizes the features of each domain's training images.

    Args:
        data: the data directory.
        fingerprint: of the data, see `records.fingerprint`.
        extractor: computes the features.
        limit: number of images per domain whose features themselves are kept at most.
        cache: directory where features are kept for the next evaluation; by default they are not.
    """

    def __init__(
        self, data: DataDirectory, fingerprint: str, extractor: FeatureExtractor, limit: int, cache: Path | None = None
    ):
        self._data, self._fingerprint, self._extractor = data, fingerprint, extractor
        self._limit, self._cache = limit, cache
        self._last: tuple[str, FeatureSummary] | None = None

    def summary(self, domain: str) -> FeatureSummary:
        """Returns the summary of a domain's training images; the first time, this reads them all.

        Only the last domain's is held in memory, so calls are best made domain by domain.

        Raises:
            UserError: the domain has no training images, or a damaged one.
        """
        if self._last is None or self._last[0] != domain:
            self._last = None  # freed before the next one is computed
            self._last = (domain, self._cached(domain))
        return self._last[1]

    def _cached(self, domain: str) -> FeatureSummary:
        split = records.split_name("train", domain)
        path = None
        if self._cache is not None:
            key = f"{_VERSION} {self._fingerprint} {split} {self._extractor.hash} {self._extractor.dim} {self._limit}"
            name = f"{file_name(split)}_{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
            path = self._cache / "real_features" / name
            arrays = writing.read_arrays(path)
            if arrays is not None:
                return FeatureSummary.from_arrays(arrays)
        summary = self._computed(domain, StoredImages(self._data, split))
        if path is not None:
            writing.write_arrays(path, summary.to_arrays())
        return summary

    def _computed(self, domain: str, images: StoredImages) -> FeatureSummary:
        summary = FeatureSummary(self._extractor, len(images), self._limit, seed=[0])
        with Progress(len(images), f"real {domain}", "images", keep=False, delay=1) as progress:
            for start in range(0, len(images), _BLOCK):
                numbers = range(start, min(start + _BLOCK, len(images)))
                summary.add(self._extractor(images.read(numbers)))
                progress.update(len(numbers))
        return summary
