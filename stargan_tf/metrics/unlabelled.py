"""A network that learns from the same photographs without their labels: a second opinion beside the judge's.

An autoencoder, of other layers, another seed and another task than the judge: it has to draw the whole picture again
from a few numbers, so it looks at what the judge may ignore, the ground too, and cannot take part in the judge's
mistakes about domains.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from stargan_tf.metrics import array_training, kept_networks
from stargan_tf.metrics.identity import short_hash


@dataclass(frozen=True)
class Settings:
    """How the autoencoder is built and trained.

    Args:
        widths: channels of the blocks of the encoder, each of which halves height and width.
        code: numbers that a picture is drawn again from.
        steps: updates.
        batch: images of an update.
        learning_rate: of Adam at the start; it falls to 0 along a cosine.
        seed: of the weights, the order of images and their augmentation.
    """

    widths: tuple[int, ...] = (24, 48, 96)
    code: int = 128
    steps: int = 600
    batch: int = 48
    learning_rate: float = 2e-3
    seed: int = 1


DEFAULTS = Settings()


def load_or_train(
    images: Mapping[str, np.ndarray], fingerprint: str, cache: Path, settings: Settings = DEFAULTS
) -> tuple[keras.Model, str]:
    """Loads the autoencoder of some data; trains and keeps it first if there is none yet.

    Args:
        images: training images [N, H, W, 3] uint8 by domain; the domain only balances the batches.
        fingerprint: of the data.
        cache: directory to keep autoencoders in; made if it is missing.
        settings: how to build and train it.

    Returns:
        A network that maps images [N, H, W, 3] in [-1, 1] to the same, drawn again, and a list of the outputs
        [N, h, w, C] of its encoder's blocks, the code last; and the hash of its weights and settings.

    Raises:
        UserError: the kept one is damaged, or `cache` cannot be written.
    """
    height, width = next(iter(images.values())).shape[1:3]

    def fit(network: keras.Model) -> dict[str, Any]:
        array_training.train(
            keras.Model(network.input, network.output[0]),
            keras.losses.MeanAbsoluteError(),
            np.concatenate(list(images.values())),
            None,
            np.concatenate([np.full(len(of_domain), label) for label, of_domain in enumerate(images.values())]),
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            description="training the autoencoder",
        )
        return {"settings": asdict(settings)}

    directory = cache / f"autoencoder-{fingerprint[:12]}-{short_hash(asdict(settings), [])}"
    network, _ = kept_networks.load_or_train(directory, "autoencoder", lambda: build((height, width), settings), fit)
    return network, short_hash(asdict(settings), network.get_weights())


def build(size: tuple[int, int], settings: Settings) -> keras.Model:
    """Builds the autoencoder for images of a size, with random weights of the seed."""
    seeds = iter(range(settings.seed * 100, settings.seed * 100 + 100))

    def start():
        return keras.initializers.GlorotUniform(next(seeds))

    images = x = keras.Input((*size, 3))
    blocks = []
    for width in settings.widths:
        x = keras.layers.Conv2D(width, 5, 2, "same", activation="elu", kernel_initializer=start())(x)
        blocks.append(x)
    shape = x.shape[1:]
    code = keras.layers.Dense(settings.code, kernel_initializer=start())(keras.layers.Flatten()(x))
    blocks.append(keras.layers.Reshape((1, 1, settings.code))(code))
    x = keras.layers.Dense(int(np.prod(shape)), "elu", kernel_initializer=start())(code)
    x = keras.layers.Reshape(shape)(x)
    for width in (*settings.widths[-2::-1], 3):
        x = keras.layers.UpSampling2D()(x)
        last = width == 3
        x = keras.layers.Conv2D(width, 3, 1, "same", activation="tanh" if last else "elu", kernel_initializer=start())(
            x
        )
    drawn = keras.layers.Lambda(lambda padded: padded[:, : size[0], : size[1]])(x)
    return keras.Model(images, [drawn, blocks])
