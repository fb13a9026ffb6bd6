"""Feature extractors: networks that turn images into the vectors that sets of images are compared by."""

from pathlib import Path
from typing import Protocol

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.data.records import DataDirectory


class FeatureExtractor(Protocol):
    """Turns images into feature vectors, in batches of its own, so that memory does not grow with their number.

    Attributes:
        name: what it is: "classifier", "inception", or the name of an ONNX file.
        hash: 12 hexadecimal digits of weights and preprocessing.
        dim: length of a feature vector.
    """

    name: str
    hash: str
    dim: int

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, [N, dim] float32, of images [N, H, W, 3] float32 in [-1, 1]."""
        ...


def load_extractor(spec: str, data: DataDirectory, cache: Path) -> FeatureExtractor:
    """Loads an extractor.

    Args:
        spec: `classifier`, trained on `data`, offline, and kept; `inception`, the InceptionV3 of keras.applications,
            downloaded once; `inception:FILE`, the same with weights of a file; `FILE.onnx`, any network.
        data: the data directory that is measured on.
        cache: directory to keep trained classifiers in; made if it is missing.

    Returns:
        The extractor.

    Raises:
        UserError: there is no such extractor or file, a file holds something else, or weights cannot be downloaded.
    """
    if spec == "classifier":
        from stargan_tf.metrics import classifier

        return classifier.ClassifierFeatures(classifier.load_or_train(data, cache))
    if spec == "inception" or spec.startswith("inception:"):
        from stargan_tf.metrics.inception import InceptionFeatures

        return InceptionFeatures(Path(spec.removeprefix("inception:")) if ":" in spec else None)
    if spec.endswith(".onnx"):
        from stargan_tf.metrics.onnx_network import OnnxFeatures

        return OnnxFeatures(Path(spec), data.image_size)
    raise UserError(f"there is no extractor {spec!r}; take classifier, inception, inception:WEIGHTS_FILE or FILE.onnx")
