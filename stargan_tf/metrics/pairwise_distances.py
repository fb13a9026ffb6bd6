"""Distances between rows of feature arrays, in blocks, so that memory does not grow with the number of pairs."""

from collections.abc import Iterator

import numpy as np

BLOCK = 1024  # rows; a block of distances takes 8 MB


def blocks(count: int) -> Iterator[slice]:
    """Yields slices that cover `count` rows, a block at a time."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the squared Euclidean distances [N, M] of all pairs of rows of a [N, D] and b [M, D], in float64."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    # Centred first: the formula loses the digits that all rows have in common.
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    squares = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)
    squares -= 2 * (a @ b.T)
    return np.maximum(squares, 0.0, out=squares)
