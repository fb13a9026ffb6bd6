"""Kernel distance between two sets of features: unbiased, so it is meaningful for few samples too.

With the features of InceptionV3 it is the KID (Bińkowski et al. 2018, arXiv 1801.01401, section 4 and equation 4): the
squared maximum mean discrepancy with the kernel (x y / D + 1)^3.
"""

import itertools

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.pairwise_distances import blocks


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, seed: int = 0, subsets: int = 100, subset_size: int | None = None
) -> tuple[float, float]:
    """Computes the mean of the kernel distances of random subsets.

    Args:
        real: features, [N, D].
        generated: features by the same extractor, [M, D].
        seed: of the choice of subsets.
        subsets: number of subsets.
        subset_size: samples of each set in a subset, drawn without replacement; by default 1000, and at most half of
            the smaller set, since subsets that overlap too much say nothing about the deviation.

    Returns:
        The distance, which may be below 0 since it is unbiased, and its deviation over the subsets, which falls as
        subsets grow.

    Raises:
        UserError: a set is smaller than a subset, or a subset smaller than 2; features are not finite.
    """
    fewest = min(len(real), len(generated))
    if subset_size is None:
        subset_size = max(min(1000, fewest // 2), 2)
    if not 2 <= subset_size <= fewest:
        raise UserError(f"a kernel distance of subsets of {subset_size} images needs as many, and there are {fewest}")
    if not (np.isfinite(real).all() and np.isfinite(generated).all()):
        raise UserError("features are not finite; look at the images, the run may have diverged")
    rng = np.random.default_rng(seed)
    distances = [
        _squared_discrepancy(
            real[rng.choice(len(real), subset_size, replace=False)],
            generated[rng.choice(len(generated), subset_size, replace=False)],
        )
        for _ in range(subsets)
    ]
    return float(np.mean(distances)), float(np.std(distances))


def _squared_discrepancy(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate from x and y, both [N, D]: no sample is compared with itself."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    count = len(x)
    within = _sum_of_kernels(x, x) - _kernel(np.einsum("nd,nd->n", x, x), x.shape[1]).sum()
    within += _sum_of_kernels(y, y) - _kernel(np.einsum("nd,nd->n", y, y), y.shape[1]).sum()
    return within / (count * (count - 1)) - 2 * _sum_of_kernels(x, y) / count**2


def _sum_of_kernels(x: np.ndarray, y: np.ndarray) -> float:
    pairs = itertools.product(blocks(len(x)), blocks(len(y)))
    return sum(_kernel(x[rows] @ y[columns].T, x.shape[1]).sum() for rows, columns in pairs)


def _kernel(products: np.ndarray, dim: int) -> np.ndarray:
    return (products / dim + 1.0) ** 3
