"""Features and a perceptual distance made of the blocks of any small network trained here."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.perceptual import squared_difference, unit_normalized

_BATCH = 64  # images in a batch


class BlockFeatures:
    """A feature extractor: the mean over the image of each channel of each block.

    The last block alone would tell little more than what the network was trained for; the first ones see colours and
    textures.

    Args:
        name: of the network, in one word.
        hash: of its weights and settings.
        network: maps images [N, H, W, 3] in [-1, 1] to an output and a list of the outputs [N, h, w, C] of its blocks.
    """

    def __init__(self, name: str, hash: str, network: keras.Model):
        self.name, self.hash = name, hash
        _, blocks = network.output
        self.dim = sum(block.shape[-1] for block in blocks)
        self._size = network.input_shape[1:3]

        def features(images):
            return tf.concat([tf.reduce_mean(block, axis=(1, 2)) for block in network(images, training=False)[1]], -1)

        self._features = tf.function(features, input_signature=[tf.TensorSpec((None, *self._size, 3))], autograph=False)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, [N, dim] float32, of images [N, H, W, 3] in [-1, 1] of the network's size."""
        _check_size(self.name, images, self._size)
        features = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            features[part] = self._features(tf.constant(images[part], tf.float32)).numpy()
        return features


class BlockDistance:
    """A perceptual distance: LPIPS, unweighted, on the outputs of the blocks.

    Args:
        name: of the network, in one word.
        hash: of its weights and settings.
        network: as for `BlockFeatures`.
    """

    def __init__(self, name: str, hash: str, network: keras.Model):
        self.name, self.hash = name, hash
        self._size = network.input_shape[1:3]
        self._blocks = tf.function(
            lambda images: network(images, training=False)[1],
            input_signature=[tf.TensorSpec((None, *self._size, 3))],
            autograph=False,
        )

    def features(self, images: np.ndarray) -> list[np.ndarray]:
        """Returns the unit-normalized outputs [N, h, w, C] of the blocks, for images as `BlockFeatures` takes."""
        _check_size(self.name, images, self._size)
        parts = [
            [unit_normalized(block.numpy()) for block in self._blocks(tf.constant(images[start : start + _BATCH]))]
            for start in range(0, len(images), _BATCH)
        ]
        return [np.concatenate(layer) for layer in zip(*parts, strict=True)]

    def distance(self, features_a: Sequence[np.ndarray], features_b: Sequence[np.ndarray]) -> np.ndarray:
        """Returns the distances [N] of N pairs; either may be of one image, which is compared with all."""
        return squared_difference(features_a, features_b)


def _check_size(name: str, images: np.ndarray, size: tuple[int, int]) -> None:
    if images.shape[1:] != (*size, 3):
        raise UserError(
            f"the {name} was trained on images of {size[0]} x {size[1]} px and cannot take those of "
            f"{images.shape[1]} x {images.shape[2]}"
        )
