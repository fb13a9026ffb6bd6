"""The training image that a picture is nearest to, by the mean squared difference of their pixels."""

import numpy as np

_BLOCK = 256  # pictures compared at once


def nearest(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest of other images.

    Args:
        images: [N, H, W, 3] uint8.
        others: [M, H, W, 3] uint8, at least one.

    Returns:
        Index of the nearest of `others` [N], and the root of the mean squared difference to it [N], of 255.
    """
    # Centred, float32 is good for a ten-thousandth of the squares; the distance to the one found is taken anew.
    centre = others.mean(axis=0, dtype=np.float32).ravel()
    candidates = others.reshape(len(others), -1) - centre
    squares = np.square(candidates).sum(axis=1)
    found = np.empty(len(images), np.int64)
    for start in range(0, len(images), _BLOCK):
        block = images[start : start + _BLOCK]
        pixels = block.reshape(len(block), -1) - centre
        found[start : start + len(block)] = (squares - 2 * (pixels @ candidates.T)).argmin(axis=1)
    differences = images.astype(np.float32) - others[found]
    return found, np.sqrt(np.square(differences).mean(axis=(1, 2, 3)))
