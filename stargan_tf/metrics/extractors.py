"""Feature extractors: networks that turn images into vectors, by which sets of images are compared."""

from typing import Protocol

import numpy as np


class FeatureExtractor(Protocol):
    """Turns images into feature vectors, in batches, so that memory does not grow with the number of images.

    Attributes:
        name: what it is: "classifier", "inception", or the name of an ONNX file.
        hash: 12 hexadecimal digits, of weights and preprocessing.
        dim: length of a feature vector.
    """

    name: str
    hash: str
    dim: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, [N, dim] float32, of images [N, H, W, 3] float32 in [-1, 1]."""
        ...
