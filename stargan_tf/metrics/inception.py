"""The InceptionV3 of keras.applications as a feature extractor."""

import warnings
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.identity import short_hash
from stargan_tf.metrics.preprocessing import Preprocessing

_BATCH = 32
_SIDE = 299

# What its weights were trained with: `keras.applications.inception_v3.preprocess_input`.
_PREPROCESSING = Preprocessing(size=(_SIDE, _SIDE), value_range=(-1.0, 1.0))


class InceptionFeatures:
    """The pooled features of InceptionV3 trained on ImageNet.

    Args:
        weights: a file that Keras's `load_weights` takes, without the classifying layer; None takes the published
            weights, which are downloaded once into Keras's cache.

    Raises:
        UserError: there is no such file, it holds something else, or the download failed.
    """

    name = "inception"

    def __init__(self, weights: Path | None = None):
        if weights is not None and not weights.is_file():
            raise UserError(f"there is no file of Inception weights at {str(weights)!r}")
        try:
            network = build("imagenet" if weights is None else None)
        except Exception as error:  # Keras raises nothing more special
            raise UserError(
                f"the weights of Inception cannot be downloaded ({error}); download that file elsewhere and give it as "
                "inception:FILE, or take another extractor"
            ) from error
        if weights is not None:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", UserWarning)  # of layers that the file lacks, which stay random
                    network.load_weights(weights)
            except Exception as error:  # ValueError, OSError, KeyError and more, depending on the file
                raise UserError(
                    f"{str(weights)!r} holds no weights of the InceptionV3 of keras.applications without its "
                    f"classifying layer (a file named ..._notop.h5): {str(error).splitlines()[0]}"
                ) from error
        self.hash = short_hash(asdict(_PREPROCESSING), network.get_weights())
        self.dim = network.output_shape[-1]
        self._features = tf.function(
            lambda images: network(images, training=False),
            input_signature=[tf.TensorSpec((None, _SIDE, _SIDE, 3))],
            autograph=False,
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, [N, 2048] float32, of images [N, H, W, 3] in [-1, 1]."""
        features = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            features[part] = self._features(tf.constant(_PREPROCESSING(images[part]))).numpy()
        return features


def build(weights: str | None) -> keras.Model:
    """Builds the network; `weights` is "imagenet", or None for random ones."""
    return keras.applications.InceptionV3(
        include_top=False, weights=weights, input_shape=(_SIDE, _SIDE, 3), pooling="avg"
    )
