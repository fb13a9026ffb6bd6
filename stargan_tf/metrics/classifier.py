"""A small classifier of the domains, trained on the user's own images: features for metrics without any download.

It needs nothing that the user does not have, no published weights and no connection. Its numbers compare runs on the
same data, and nothing else.
"""

import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.config import DataConfig
from stargan_tf.data import records, scaling
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.metrics import kept_networks
from stargan_tf.metrics.block_features import BlockDistance, BlockFeatures
from stargan_tf.metrics.identity import short_hash

_BATCH = 64  # images in a batch


@dataclass(frozen=True)
class Settings:
    """How the classifier is built and trained; numbers of classifiers with different settings are not comparable.

    Args:
        side: larger images are reduced until their longer side has this many pixels.
        widths: channels of the blocks, each of which halves height and width.
        steps: updates.
        rows: rows of a batch; each has three images.
        learning_rate: of Adam at the start; it falls to 0 along a cosine.
        seed: of the weights, the order of images and their augmentation.
    """

    side: int = 64
    widths: tuple[int, ...] = (32, 64, 128, 128)
    steps: int = 600
    rows: int = 16
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Args:
        network: maps images [N, H, W, 3] in [-1, 1] to logits [N, K] and a list of the outputs [N, h, w, C] of its
            blocks.
        hash: of its weights and settings.
        accuracies: fraction of each domain's validation images that are recognized, by domain name.
    """

    network: keras.Model
    hash: str
    accuracies: dict[str, float]

    @property
    def accuracy(self) -> float | None:
        """Mean of the domains' accuracies; None without validation images."""
        return float(np.mean(list(self.accuracies.values()))) if self.accuracies else None


class ClassifierFeatures(BlockFeatures):
    """The feature extractor made of a classifier.

    Args:
        classifier: trained on the data that is measured.
    """

    def __init__(self, classifier: Classifier):
        super().__init__("classifier", classifier.hash, classifier.network)
        self.accuracy = classifier.accuracy


class ClassifierDistance(BlockDistance):
    """The perceptual distance made of a classifier.

    Args:
        classifier: trained on the data that is measured.
    """

    def __init__(self, classifier: Classifier):
        super().__init__("classifier", classifier.hash, classifier.network)
        self.accuracy = classifier.accuracy


def load_or_train(data: DataDirectory, cache: Path, settings: Settings = Settings()) -> Classifier:
    """Loads the classifier of a data directory; trains and keeps it first if there is none yet.

    The same data, settings and seed give the same classifier on the same machine; on others it may differ in the last
    bits, and then its hash differs too. It is kept under the fingerprint of the data and the settings, so changed data
    never meets an old classifier.

    Args:
        data: the data directory; the classifier is trained on its training images and tested on its validation images.
        cache: directory to keep classifiers in; made if it is missing.
        settings: how to build and train it.

    Returns:
        The classifier.

    Raises:
        UserError: the data has only one domain, or a domain with fewer than two training images, or cannot be read.
    """
    if len(data.domains) < 2:
        raise UserError(
            f"the classifier tells domains apart, and {data.path} has only {data.domains[0]!r}; take another extractor"
        )
    kept = cache / f"classifier-{records.fingerprint(data)[:12]}-{short_hash(asdict(settings), [])}"

    def train(network: keras.Model) -> dict[str, Any]:
        _fit(network, data, settings)
        return {"accuracies": _accuracies(network, data), "settings": asdict(settings), "domains": list(data.domains)}

    network, facts = kept_networks.load_or_train(
        kept, "classifier", lambda: build(data.image_size, len(data.domains), settings), train
    )
    classifier = Classifier(network, short_hash(asdict(settings), network.get_weights()), facts["accuracies"])
    chance = 1 / len(data.domains)
    if classifier.accuracy is not None and classifier.accuracy < (1 + chance) / 2:
        warnings.warn(
            f"the classifier recognizes the domain of only {classifier.accuracy:.1%} of the validation images "
            f"(by chance: {chance:.1%}), so numbers by its features mean little",
            stacklevel=2,
        )
    return classifier


def build(image_size: tuple[int, int], num_domains: int, settings: Settings) -> keras.Model:
    """Builds the network with random weights of the seed; see `Classifier` for its outputs."""
    reduced = min(1.0, settings.side / max(image_size))
    size = [max(round(side * reduced), 1) for side in image_size]
    seeds = iter(range(settings.seed * 100, settings.seed * 100 + 100))
    images = x = keras.Input((*image_size, 3))
    if reduced < 1:
        x = keras.layers.Lambda(lambda large: tf.image.resize(large, size, antialias=True))(x)
    blocks = []
    for width in settings.widths:
        x = keras.layers.Conv2D(
            width, 3, 2, "same", use_bias=False, kernel_initializer=keras.initializers.HeNormal(next(seeds))
        )(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.95)(x))
        blocks.append(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    logits = keras.layers.Dense(num_domains, kernel_initializer=keras.initializers.GlorotUniform(next(seeds)))(pooled)
    return keras.Model(images, [logits, blocks])


def _fit(network: keras.Model, data: DataDirectory, settings: Settings) -> None:
    """Trains in place, on images as the networks of a run see them."""

    def labelled(batch):  # all three images of a row
        images = tf.concat([batch["source"], batch["reference"], batch["reference_2"]], axis=0)
        images = scaling.scale_tensor(images, on_gpu=False)  # here, in the input pipeline
        return images, tf.concat([batch["source_domain"], batch["target_domain"], batch["target_domain"]], axis=0)

    batches = training_dataset(data, DataConfig(batch_size=settings.rows), settings.seed).map(labelled)
    trained = keras.Model(network.input, network.output[0])
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
    trained.compile(
        keras.optimizers.Adam(schedule), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    with Progress(settings.steps, "training the classifier", "steps") as bar:
        progress = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        trained.fit(batches, steps_per_epoch=settings.steps, shuffle=False, verbose=0, callbacks=[progress])


def _accuracies(network: keras.Model, data: DataDirectory) -> dict[str, float]:
    """Returns the fraction of validation images that are recognized, for each domain that has any."""
    classify = tf.function(
        lambda images: tf.argmax(network(images, training=False)[0], axis=-1),
        input_signature=[tf.TensorSpec((None, *data.image_size, 3))],
        autograph=False,
    )
    accuracies = {}
    for label, domain in enumerate(data.domains):
        split = records.split_name("val", domain)
        if data.num_examples.get(split, 0):
            right = [classify(tf.constant(images)).numpy() == label for images in _validation(data, split)]
            accuracies[domain] = float(np.concatenate(right).mean())
    return accuracies


def _validation(data: DataDirectory, split: str) -> Iterator[np.ndarray]:
    images = StoredImages(data, split)
    return (images.read(range(start, min(start + _BATCH, len(images)))) for start in range(0, len(images), _BATCH))
