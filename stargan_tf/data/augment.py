"""The published augmentation: sometimes a random crop, sometimes a mirror image (paper, appendix B).

As published, crops are of whole pixels and are resized bilinearly, with values rounded to 8 bits. They are enlarged,
never reduced, so that there is nothing to be smoothed.
"""

from typing import NamedTuple

import cv2
import numpy as np

from stargan_tf.config import DataConfig
from stargan_tf.data.schedule import uniform

# As in torchvision's RandomResizedCrop: a crop that is not within the image is drawn again, up to so many times.
_ATTEMPTS = 10

# How many random words an image takes.
WORDS_PER_IMAGE = 2 * _ATTEMPTS + 4


class View(NamedTuple):
    """What is to be seen of each of N images.

    Attributes:
        top: [N], in pixels.
        left: [N].
        height: [N].
        width: [N].
        mirrored: [N] bool.
    """

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray
    mirrored: np.ndarray


def random_views(words: np.ndarray, image_size: tuple[int, int], config: DataConfig) -> View:
    """Draws crops and mirrorings.

    Args:
        words: [N, WORDS_PER_IMAGE] uint64, random; each image's view depends on its own words only.
        image_size: height and width in pixels.
        config: probabilities and ranges.

    Returns:
        The views.
    """
    numbers = uniform(words)
    areas, ratios = numbers[:, :_ATTEMPTS], numbers[:, _ATTEMPTS : 2 * _ATTEMPTS]
    low, high = config.crop_area
    areas = low + (high - low) * areas
    low, high = np.log(config.crop_ratio)
    ratios = np.exp(low + (high - low) * ratios)
    # [N, attempts, (height, width)]
    sides = np.rint(np.stack([np.sqrt(areas / ratios), np.sqrt(areas * ratios)], axis=-1) * image_size).astype(int)
    fits = ((sides >= 1) & (sides <= image_size)).all(axis=-1)
    cropped, mirrored = numbers[:, -4] < config.crop_probability, numbers[:, -3] < config.flip_probability
    cropped &= fits.any(axis=1)
    first_fitting = sides[np.arange(len(sides)), fits.argmax(axis=1)]
    height, width = np.where(cropped[:, None], first_fitting, image_size).T
    top = (numbers[:, -2] * (image_size[0] - height + 1)).astype(int)
    left = (numbers[:, -1] * (image_size[1] - width + 1)).astype(int)
    return View(top, left, height, width, mirrored)


def show(pixels: np.ndarray, view: View, output: np.ndarray) -> None:
    """Shows what a view sees of an image, at the size of the image.

    Args:
        pixels: [height, width, 3] uint8.
        view: of one image: numbers instead of arrays.
        output: array like `pixels`, to be filled.
    """
    height, width = pixels.shape[:2]
    if (view.height, view.width) != (height, width):
        crop = pixels[view.top : view.top + view.height, view.left : view.left + view.width]
        cv2.resize(crop, (width, height), dst=output, interpolation=cv2.INTER_LINEAR)
        pixels = output
    if view.mirrored:
        cv2.flip(pixels, 1, dst=output)  # in place, too
    elif pixels is not output:
        np.copyto(output, pixels)
