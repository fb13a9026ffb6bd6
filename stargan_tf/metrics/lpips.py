"""LPIPS of a network in an ONNX file, with its linear weights in another file."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.onnx_network import OnnxNetwork
from stargan_tf.metrics.perceptual import squared_difference, unit_normalized


class Lpips:
    """The perceptual distance of the paper, on the outputs of an ONNX file.

    Features are multiplied by the square root of the weights, so that a comparison is a squared difference.

    Args:
        path: the ONNX file; each output is a layer, [N, C, H, W] or [N, H, W, C] as its input is.
        weights: an .npz file with arrays lin0, lin1 and so on, one for each output in order: C numbers, none negative,
            in any shape.
        image_size: height and width of the images that are measured.

    Raises:
        UserError: see `OnnxNetwork`; or the weights do not fit.
    """

    def __init__(self, path: Path, weights: Path, image_size: tuple[int, int]):
        linear = _read_weights(weights)
        self._network = OnnxNetwork(path, image_size, rounded=False)
        shapes, axis = self._network.output_shapes, self._network.channel_axis
        for shape in shapes:
            if len(shape) != 4:
                raise UserError(f"{path.name} has an output of shape {shape}; a layer of LPIPS has four axes")
        channels = [shape[axis] for shape in shapes]
        if channels != [len(layer) for layer in linear]:
            raise UserError(
                f"the outputs of {path.name} have {_listed(channels)} channels, and the weights of {weights.name} are "
                f"for {_listed([len(layer) for layer in linear])}"
            )
        self.name = self._network.name
        self.hash = self._network.hash(*linear)
        self._roots = [np.sqrt(layer) for layer in linear]

    def features(self, images: np.ndarray) -> list[np.ndarray]:
        """Returns the weighted features [N, h, w, C] of each layer, of images [N, H, W, 3] in [-1, 1]."""
        layers = [np.moveaxis(layer, self._network.channel_axis, -1) for layer in self._network(images)]
        return [unit_normalized(layer) * root for layer, root in zip(layers, self._roots, strict=True)]

    def distance(self, features_a: Sequence[np.ndarray], features_b: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the distances [N] float32 of N pairs; either may be of one image, which is compared with all."""
        return squared_difference(features_a, features_b)


def _read_weights(path: Path) -> list[np.ndarray]:
    """Reads the linear weights in order, each [C] float32."""
    if not path.is_file():
        raise UserError(f"there is no file of linear weights at {str(path)!r}")
    try:
        with np.load(path) as arrays:  # refuses pickled objects
            found = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise UserError(f"the linear weights {str(path)!r} cannot be read as an .npz file: {error}") from error
    names = [f"lin{index}" for index in range(len(found))]
    if not found or set(found) != set(names):
        raise UserError(
            f"the linear weights {path.name} hold {', '.join(sorted(found)) or 'nothing'}; they must be lin0, lin1 "
            "and so on, one for each output of the network"
        )
    linear = [np.asarray(found[name], np.float32).ravel() for name in names]
    if not all(np.isfinite(layer).all() and (layer >= 0).all() for layer in linear):
        raise UserError(f"the linear weights {path.name} are not all finite and at least 0, as those of LPIPS are")
    return linear


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
