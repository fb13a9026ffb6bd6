"""How different two images look: the perceptual distance of LPIPS, on the features of any network.

Features of several layers are scaled to unit length at every place; the squares of their differences are weighted by
channel, averaged over places and summed over layers (Zhang et al. 2018, arXiv 1801.03924, section 3 and equation 1).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stargan_tf.base.errors import UserError

# Avoids a division by 0 for a feature vector of zeros.
_EPSILON = 1e-10


class PerceptualDistance(Protocol):
    """Compares images pair by pair; the features of an image are computed once for all its comparisons.

    Attributes:
        name: what it is: "classifier", or the name of an ONNX file.
        hash: 12 hexadecimal digits, of weights and preprocessing.
    """

    name: str
    hash: str

    def features(self, images: np.ndarray) -> list[np.ndarray]:
        """Returns what images [N, H, W, 3] float32 in [-1, 1] are compared by: arrays [N, ...], one per layer."""
        ...

    def distance(self, features_a: Sequence[np.ndarray], features_b: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the distances [N] float32 of N pairs; either may be of one image, which is compared with all."""
        ...


def mean_pairwise(distance: PerceptualDistance, images: np.ndarray) -> float:
    """Measures the variety of images, such as the translations of one source.

    Args:
        distance: compares two images.
        images: [K, H, W, 3] in [-1, 1], at least 2.

    Returns:
        The mean distance over all K (K - 1) / 2 pairs.

    Raises:
        UserError: there are fewer than two images.
    """
    if len(images) < 2:
        raise UserError(f"a mean distance of pairs needs at least 2 images, and there is {len(images)}")
    features = distance.features(images)
    distances = [
        distance.distance([layer[index : index + 1] for layer in features], [layer[index + 1 :] for layer in features])
        for index in range(len(images) - 1)
    ]
    return float(np.concatenate(distances).mean(dtype=np.float64))


def unit_normalized(layer: np.ndarray) -> np.ndarray:
    """Scales the features [N, H, W, C] of every place to unit length; zeros remain zeros."""
    return layer / (np.sqrt(np.square(layer).sum(axis=-1, keepdims=True)) + _EPSILON)


def squared_difference(features_a: Sequence[np.ndarray], features_b: Sequence[np.ndarray]) -> np.ndarray:
    """Sums squared differences of layers [N, H, W, C] over channels and layers, averaged over places; returns [N]."""
    return sum(
        np.square(a - b).sum(axis=-1).mean(axis=(1, 2), dtype=np.float32)
        for a, b in zip(features_a, features_b, strict=True)
    )
