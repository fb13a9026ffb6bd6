"""Fréchet distance between two sets of features, each taken to be normally distributed.

With the features of InceptionV3 it is the FID (Heusel et al. 2017, arXiv 1706.08500, section 3 and equation 6).
"""

import warnings
from collections.abc import Mapping

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.extractors import FeatureExtractor

# With fewer samples than InceptionV3 has features, covariances are singular and the distance is far too large.
ENOUGH_SAMPLES = 2048


class FewSamplesWarning(UserWarning):
    """A distance was computed from so few samples that it is mostly bias."""


class Moments:
    """Count, mean and covariance of features that arrive in parts; memory does not grow with their number.

    Everything is float64. The order of the parts affects the last bits only (Chan, Golub and LeVeque 1979, "Updating
    formulae and a pairwise algorithm for computing sample variances", equations 2.1).

    Args:
        name: of the extractor that the features come from.
        hash: of that extractor; moments of different extractors are never compared.
        dim: length D of a feature vector.
    """

    def __init__(self, name: str, hash: str, dim: int):
        self.name, self.hash = name, hash
        self.count = 0
        self.mean = np.zeros(dim)
        self._scatter = np.zeros((dim, dim))  # sum of products of deviations from the mean

    @classmethod
    def of(cls, extractor: FeatureExtractor) -> "Moments":
        """Starts moments of the features of an extractor."""
        return cls(extractor.name, extractor.hash, extractor.dim)

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance, [D, D].

        Raises:
            UserError: there are fewer than two samples.
        """
        if self.count < 2:
            raise UserError(f"a covariance needs at least 2 images, and there are {self.count}")
        return self._scatter / (self.count - 1)

    def add(self, features: np.ndarray) -> None:
        """Adds the features [N, D] of more images.

        Raises:
            UserError: features are not finite; most likely the images are not either.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(f"features have the shape {features.shape}, not [N, {len(self.mean)}]")
        if not np.isfinite(features).all():
            raise UserError(
                f"features of {self.name} are not finite; look at the images, the training may have diverged"
            )
        if len(features):
            mean = features.mean(axis=0)
            deviations = features - mean
            self._combine(len(features), mean, deviations.T @ deviations)

    def merge(self, other: "Moments") -> None:
        """Adds all samples of others.

        Raises:
            UserError: they come from another extractor.
        """
        check_same_extractor(self, other)
        if other.count:
            self._combine(other.count, other.mean, other._scatter)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Returns the whole state as arrays by name, for `numpy.savez`."""
        return {
            "name": np.array(self.name),
            "hash": np.array(self.hash),
            "count": np.array(self.count, np.int64),
            "mean": self.mean.copy(),
            "scatter": self._scatter.copy(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Moments":
        """Restores the state that `to_arrays` gave, bit for bit."""
        moments = cls(str(arrays["name"]), str(arrays["hash"]), len(arrays["mean"]))
        moments.count = int(arrays["count"])
        moments.mean = np.array(arrays["mean"], np.float64)
        moments._scatter = np.array(arrays["scatter"], np.float64)
        return moments

    def _combine(self, count: int, mean: np.ndarray, scatter: np.ndarray) -> None:
        total = self.count + count
        step = mean - self.mean
        self._scatter += scatter
        self._scatter += np.outer(step, step * (self.count * count / total))
        self.mean = self.mean + step * (count / total)
        self.count = total


def check_same_extractor(a: Moments, b: Moments) -> None:
    """Checks that moments may be compared.

    Raises:
        UserError: they come from different extractors.
    """
    if (a.name, a.hash) != (b.name, b.hash):
        raise UserError(
            f"features of {a.name} ({a.hash}) cannot be compared with features of {b.name} ({b.hash}); "
            "take both from the same extractor"
        )


def frechet_distance(a: Moments, b: Moments) -> float:
    """Computes |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), of means m and covariances A and B.

    The trace of the root is the sum of the singular values of A^1/2 B^1/2, and the roots of the two symmetric matrices
    come from their eigenvalues. So everything stays real, singular covariances need no special care, and no digits are
    lost to roots of rounding errors, as with scipy's `sqrtm`.

    Args:
        a: moments of one set.
        b: moments of the other.

    Returns:
        The distance, squared as usual; at least 0.

    Raises:
        UserError: the two come from different extractors, or one has fewer than two samples.
    """
    check_same_extractor(a, b)
    fewest = min(a.count, b.count)
    if 2 <= fewest < ENOUGH_SAMPLES:
        warnings.warn(
            f"a Fréchet distance from {fewest} images is far too large; compare it only with others from as many "
            f"images, and take at least {ENOUGH_SAMPLES} for numbers to be reported",
            FewSamplesWarning,
            stacklevel=2,
        )
    root_a, root_b = _root(a.covariance), _root(b.covariance)
    trace_of_root = np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum()
    step = a.mean - b.mean
    distance = step @ step + np.trace(a.covariance) + np.trace(b.covariance) - 2 * trace_of_root
    return max(float(distance), 0.0)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Returns R, [D, rank], with R R^T the covariance: the symmetric root up to a rotation, which changes nothing."""
    values, vectors = np.linalg.eigh(covariance)
    # Values below the rounding error of the largest are rounding errors themselves; their roots would be far from 0.
    kept = values > len(values) * np.finfo(np.float64).eps * max(values[-1], 0.0)
    return vectors[:, kept] * np.sqrt(values[kept])
