"""The real photographs of a measurement, in memory, reduced; validation images that training knows are left out."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from stargan_tf.base.progress import Progress
from stargan_tf.data import perceptual_hashes, records
from stargan_tf.data.images import evenly_spread
from stargan_tf.data.perceptual_hashes import Look
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages

# Larger images are reduced until their longer side has this many pixels.
SIDE = 64
_BLOCK = 64  # images read at once


@dataclass(frozen=True)
class PhotographSet:
    """Real photographs, reduced, [N, H, W, 3] uint8 by domain.

    Args:
        train: all training images.
        val: the validation images that are measured, as many of each domain.
        numbers: which images of its split those are.
        left_out: validation images that have a near-duplicate among the training images of any domain, by domain.
    """

    train: Mapping[str, np.ndarray]
    val: Mapping[str, np.ndarray]
    numbers: Mapping[str, list[int]]
    left_out: Mapping[str, int]


def read(data: DataDirectory, sources: int | None = None) -> PhotographSet:
    """Reads the photographs of a data directory.

    Args:
        data: the data directory.
        sources: validation images of each domain that are measured at most; by default as many as the domain that has
            the fewest keeps.

    Returns:
        The photographs.

    Raises:
        UserError: a record is corrupt, or a split is missing.
    """
    splits = {
        (subset, domain): StoredImages(data, records.split_name(subset, domain))
        for subset in records.SUBSETS
        for domain in data.domains
    }
    images, looks = {}, []
    with Progress(sum(map(len, splits.values())), "reading photographs", "images", keep=False, delay=1) as bar:
        for (subset, domain), stored in splits.items():
            blocks = []
            for start in range(0, len(stored), _BLOCK):
                numbers = range(start, min(start + _BLOCK, len(stored)))
                blocks.append(reduced(stored.read(numbers)))
                bar.update(len(numbers))
            images[subset, domain] = np.concatenate(blocks)
            looks += looks_of(images[subset, domain], subset == "val", data.domains.index(domain))
    known = {(look.label, look.position) for look, _, _ in perceptual_hashes.closest_pairs(looks)}
    kept = {
        domain: [number for number in range(len(images["val", domain])) if (label, number) not in known]
        for label, domain in enumerate(data.domains)
    }
    count = min(map(len, kept.values()))
    chosen = {domain: evenly_spread(of, min(count, sources or count)) for domain, of in kept.items()}
    return PhotographSet(
        train={domain: images["train", domain] for domain in data.domains},
        val={domain: images["val", domain][numbers] for domain, numbers in chosen.items()},
        numbers=chosen,
        left_out={domain: len(images["val", domain]) - len(of) for domain, of in kept.items()},
    )


def reduced(images: np.ndarray) -> np.ndarray:
    """Reduces images [N, H, W, 3] in [-1, 1] to `SIDE`, as uint8; smaller ones keep their size."""
    pixels = np.rint((images + 1) * np.float32(127.5)).astype(np.uint8)
    height, width = images.shape[1:3]
    factor = SIDE / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in pixels])


def looks_of(images: np.ndarray, is_val: bool, label: int = 0) -> list[Look]:
    """Describes what images [N, H, W, 3] uint8 look like; their positions are their indices."""
    return [
        perceptual_hashes.look_at(Image.fromarray(image), is_val, label, 0, position)
        for position, image in enumerate(images)
    ]


def copies(images: np.ndarray, train: list[Look]) -> float:
    """Returns the share of images that look like one of training, by the criterion of near-duplicates."""
    looks = [*train, *looks_of(images, True)]
    return sum(1 for _ in perceptual_hashes.closest_pairs(looks)) / len(images)
