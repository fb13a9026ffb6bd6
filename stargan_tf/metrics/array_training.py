"""Trains the small networks that measure, on images in memory."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from stargan_tf.base.progress import Progress
from stargan_tf.data import scaling

# Images are moved by up to this many pixels, and mirrored.
_SHIFT = 4


def train(
    network: keras.Model,
    loss: Callable,
    images: np.ndarray,
    targets: np.ndarray | None,
    groups: np.ndarray,
    steps: int,
    batch: int,
    learning_rate: float,
    seed: int,
    description: str,
) -> None:
    """Trains a network in place, by Adam with a rate that falls to 0 along a cosine.

    Args:
        network: maps images [B, H, W, 3] in [-1, 1] to an output.
        loss: of targets and output, for Keras.
        images: [N, H, W, 3] uint8.
        targets: of the images, [N, ...]; None for the images themselves, as they were fed.
        groups: integers [N]; each group has the same share of the batches, whatever its size.
        steps: updates.
        batch: images of an update.
        learning_rate: at the start.
        seed: of the order of the images, and of their shifts and mirroring.
        description: what the progress says.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    network.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    with Progress(steps, description, "steps", keep=False) as bar:
        for _ in range(steps):
            chosen = _draw(members, batch, rng)
            fed = scaling.scale(_augmented(images[chosen], rng))
            network.train_on_batch(fed, fed if targets is None else targets[chosen])
            bar.update()


def _draw(members: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws indices of images: a group for each, and a member of the group."""
    groups = rng.integers(len(members), size=count)
    return np.array([members[group][rng.integers(len(members[group]))] for group in groups])


def _augmented(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrors half of the images and moves all; what comes in at an edge repeats the outermost pixels."""
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), mode="edge")
    moved = np.empty_like(images)
    for index, (top, left) in enumerate(rng.integers(2 * _SHIFT + 1, size=(len(images), 2))):
        moved[index] = padded[index, top : top + height, left : left + width]
    mirrored = rng.random(len(images)) < 0.5
    moved[mirrored] = moved[mirrored, :, ::-1]
    return moved
