"""The judge of photographs: a small classifier that tells of which domain a picture is, and knows real ones only.

It is trained on the training images, and takes no part in any training of the translator. Where the ground is plain, it
is shown the object on uniform grey: the ground often gives the domain away.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stargan_tf.data import scaling
from stargan_tf.metrics import array_training, classifier, kept_networks
from stargan_tf.metrics.classifier import Settings
from stargan_tf.metrics.identity import short_hash

DEFAULTS = Settings()

_BATCH = 64  # images in a batch


class Judge:
    """A trained judge.

    Args:
        network: as `classifier.build` makes it.
        hash: of its weights and settings.
    """

    def __init__(self, network: keras.Model, hash: str):
        self.network, self.hash = network, hash
        self._probabilities = tf.function(
            lambda images: tf.nn.softmax(network(images, training=False)[0]),
            input_signature=[tf.TensorSpec((None, *network.input_shape[1:]))],
            autograph=False,
        )

    def probabilities(self, shown: np.ndarray) -> np.ndarray:
        """Returns how probable each domain is, [N, K], of images [N, H, W, 3] uint8, shown as it was trained."""
        parts = [
            self._probabilities(tf.constant(scaling.scale(shown[start : start + _BATCH]))).numpy()
            for start in range(0, len(shown), _BATCH)
        ]
        return np.concatenate(parts)

    def accuracies(self, shown: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Returns the share of images that are recognized, by domain, of images by domain in the order of labels."""
        return {
            domain: float(np.mean(self.probabilities(images).argmax(axis=1) == label))
            for label, (domain, images) in enumerate(shown.items())
        }


def train(shown: Mapping[str, np.ndarray], settings: Settings = DEFAULTS, what: str = "judge") -> Judge:
    """Trains a judge; each domain has the same share of the batches, whatever its size.

    Args:
        shown: images [N, H, W, 3] uint8 by domain, in the order of labels.
        settings: how to build and train it.
        what: what the progress calls it.

    Returns:
        The judge.
    """
    network = _build(shown, settings)
    _fit(network, shown, settings, what)
    return Judge(network, short_hash(asdict(settings), network.get_weights()))


def load_or_train(
    shown: Mapping[str, np.ndarray], fingerprint: str, cache: Path, what: str, settings: Settings = DEFAULTS
) -> Judge:
    """Loads the judge of some data; trains and keeps it first if there is none yet.

    Args:
        shown: training images as for `train`.
        fingerprint: of the data, and of how they are shown.
        cache: directory to keep judges in; made if it is missing.
        what: what it judges by, in one word.
        settings: how to build and train it.

    Returns:
        The judge.

    Raises:
        UserError: the kept one is damaged, or `cache` cannot be written.
    """

    def fit(network: keras.Model) -> dict[str, Any]:
        _fit(network, shown, settings, what)
        return {"settings": asdict(settings), "domains": list(shown)}

    directory = cache / f"{what}-{fingerprint[:12]}-{short_hash(asdict(settings), [])}"
    network, _ = kept_networks.load_or_train(directory, what, lambda: _build(shown, settings), fit)
    return Judge(network, short_hash(asdict(settings), network.get_weights()))


def _build(shown: Mapping[str, np.ndarray], settings: Settings) -> keras.Model:
    height, width = next(iter(shown.values())).shape[1:3]
    return classifier.build((height, width), len(shown), settings)


def _fit(network: keras.Model, shown: Mapping[str, np.ndarray], settings: Settings, what: str) -> None:
    labels = np.concatenate([np.full(len(images), label) for label, images in enumerate(shown.values())])
    array_training.train(
        keras.Model(network.input, network.output[0]),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        np.concatenate(list(shown.values())),
        labels,
        labels,
        steps=settings.steps,
        batch=3 * settings.rows,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        description=f"training the {what}",
    )
