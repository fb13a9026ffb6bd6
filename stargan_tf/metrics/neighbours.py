"""How much of one set of features lies among the nearest neighbours of another: realism and variety.

Improved precision and recall (Kynkäänniemi et al. 2019, arXiv 1904.06991, section 2) and density and coverage (Naeem et
al. 2020, arXiv 2002.09797, section 3). Each sample stands for a ball that reaches to its k-th nearest neighbour of its
own set; the metrics count which samples lie in which balls. Distances are computed block by block.
"""

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.pairwise_distances import blocks, squared_distances


def precision_recall(real: np.ndarray, generated: np.ndarray, k: int = 3) -> dict[str, float]:
    """Measures how many generated images look real, and how much of the variety of real ones is generated.

    Args:
        real: features, [N, D].
        generated: features by the same extractor, [M, D].
        k: the neighbour that a ball reaches to; its surface is part of it.

    Returns:
        `precision`: share of generated samples in a ball of a real one; `recall`: share of real samples in a ball of a
        generated one. Both from 0 to 1.

    Raises:
        UserError: a set has no k-th neighbours.
    """
    real_radii, generated_radii = radii(real, k), radii(generated, k)
    precise, recalled = np.zeros(len(generated), bool), np.zeros(len(real), bool)
    for rows in blocks(len(real)):
        for columns in blocks(len(generated)):
            distances = squared_distances(real[rows], generated[columns])
            precise[columns] |= (distances <= real_radii[rows, None]).any(axis=0)
            recalled[rows] |= (distances <= generated_radii[columns]).any(axis=1)
    return {"precision": float(precise.mean()), "recall": float(recalled.mean())}


def density_coverage(real: np.ndarray, generated: np.ndarray, k: int = 5) -> dict[str, float]:
    """Measures the same with less regard to outliers: only balls around real images are used.

    Args:
        real: features, [N, D].
        generated: features by the same extractor, [M, D].
        k: the neighbour that a ball reaches to; its surface is part of it.

    Returns:
        `density`: mean number of real balls that a generated sample is in, divided by k: about 1 for samples of the
        same distribution, more if they crowd where real ones are dense; `coverage`: share of real balls that hold a
        generated sample, from 0 to 1.

    Raises:
        UserError: a set has no k-th neighbours.
    """
    real_radii = radii(real, k)
    _check_count(generated, 1, "generated")
    inside, covered = 0, np.zeros(len(real), bool)
    for rows in blocks(len(real)):
        for columns in blocks(len(generated)):
            within = squared_distances(real[rows], generated[columns]) <= real_radii[rows, None]
            inside += int(within.sum())
            covered[rows] |= within.any(axis=1)
    return {"density": inside / (k * len(generated)), "coverage": float(covered.mean())}


def radii(features: np.ndarray, k: int) -> np.ndarray:
    """Returns the squared distance [N] of each sample of [N, D] to its k-th nearest neighbour other than itself.

    Raises:
        UserError: there are not more than k samples, or features are not finite.
    """
    if not np.isfinite(features).all():
        raise UserError("features are not finite; look at the images, the run may have diverged")
    _check_count(features, k + 1, "real and generated")
    nearest = np.empty(len(features))
    for rows in blocks(len(features)):
        smallest = np.full((rows.stop - rows.start, 0), np.inf)
        for columns in blocks(len(features)):
            distances = squared_distances(features[rows], features[columns])
            if rows == columns:
                np.fill_diagonal(distances, np.inf)
            smallest = np.concatenate([smallest, distances], axis=1)
            if smallest.shape[1] > k:
                smallest = np.partition(smallest, k - 1, axis=1)[:, :k]
        nearest[rows] = smallest.max(axis=1)
    return nearest


def _check_count(features: np.ndarray, least: int, which: str) -> None:
    if len(features) < least:
        raise UserError(f"nearest neighbours need at least {least} {which} images, and there are {len(features)}")
