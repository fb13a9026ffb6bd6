"""Feature extractors and perceptual distances that need no training: random filters of fixed seed."""

from pathlib import Path

import numpy as np

from tests.metrics import onnx_files


def _reduced(images):
    """Means of 4 x 4 pixels, [N, h, w, 3]."""
    count, height, width, _ = images.shape
    return images.reshape(count, height // 4, 4, width // 4, 4, 3).mean(axis=(2, 4))


class RandomFeatures:
    name, hash, dim = "random", "0123456789ab", 5

    def __init__(self):
        self.seen = 0
        self._filters = np.random.default_rng(0).normal(size=(48, self.dim)).astype(np.float32)

    def __call__(self, images):
        self.seen += len(images)
        return np.tanh(_reduced(images).reshape(len(images), -1) @ self._filters)


class PixelDistance:
    name, hash = "pixels", "ba9876543210"

    def features(self, images):
        return [_reduced(images)]

    def distance(self, features_a, features_b):
        return np.abs(features_a[0] - features_b[0]).mean(axis=(1, 2, 3), dtype=np.float32)


def write_onnx(directory: Path) -> tuple[str, str]:
    """Writes ONNX files; returns what names them as an extractor, and as a distance."""
    features = onnx_files.write(directory / "features.onnx", ("flat",))
    layers = onnx_files.write(directory / "layers.onnx", ("relu0", "relu1"))
    weights = {f"lin{index}": np.ones((1, count, 1, 1)) for index, count in enumerate(onnx_files.CHANNELS)}
    np.savez(directory / "linear.npz", **weights)
    return str(features), f"{layers}:{directory / 'linear.npz'}"
