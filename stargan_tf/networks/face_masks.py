"""Masks of the high-pass skip: where a source's face shows through, made from heatmaps of its landmarks."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.networks.generator import Masks

_THRESHOLD = 0.1
_EPSILON = 1e-6
_SHIFT_SIDE = 256  # height of a mask, in pixels, that shifts are given for


@dataclass(frozen=True)
class _Part:
    """What a range of landmarks adds to the masks.

    Args:
        start: first landmark.
        stop: the one after the last.
        shift: pixels that the heatmaps are moved up; negative moves them down.
        power: what sharpens them.
        in_second: whether it is part of the second mask as well, the one for 64 and 128 px.
        scaled: whether `shift` grows with the height of the mask.
    """

    start: int
    stop: int
    shift: int = 0
    power: int = 1
    in_second: bool = True
    scaled: bool = True


# Landmarks in no range are left out: the upper parts of the contour, and the corners of eyebrows and mouth.
_PARTS = (
    _Part(8, 25, power=3, in_second=False),  # chin
    _Part(34, 46, shift=-7, power=2, in_second=False),  # eyebrows
    _Part(47, 51, shift=-7, power=2, in_second=False),
    _Part(51, 52),  # nose
    _Part(52, 55, shift=4),
    _Part(55, 60, shift=8, power=4),  # nostrils
    _Part(60, 76, shift=-8, power=3, scaled=False),  # eyes
    _Part(60, 76, shift=-24, scaled=False),
    _Part(77, 82, shift=-8, power=4, in_second=False),  # upper lip
    _Part(83, 88, shift=8, power=4, in_second=False),  # lower lip
    _Part(88, 96, shift=-2, power=3, in_second=False),  # inner lip
    _Part(96, 98),  # pupils
)


def find_masks(network: FaceNetwork, images: tf.Tensor) -> Masks:
    """Finds the masks of faces; no gradient flows through them.

    Args:
        network: finds the landmarks.
        images: square images of faces, [B, H, H, 3] in [-1, 1].

    Returns:
        Two arrays [B, 256, 256, 1], float32 in mixed precision too, as the generator's `decode` takes them.
    """
    return masks_from_heatmaps(tf.stop_gradient(network(tf.stop_gradient(images))), scale=4)


def masks_from_heatmaps(heatmaps: tf.Tensor, scale: int) -> Masks:
    """Computes masks from heatmaps.

    Args:
        heatmaps: one for each landmark, [B, H, W, 98 or more]; what is beyond is left out.
        scale: how many times larger the masks are.

    Returns:
        Two arrays [B, scale H, scale W, 1] in [0, 1]: where the source shows through at 32 px, and at 64 and 128 px.
    """
    height = scale * heatmaps.shape[1]
    normalized = {}
    first, second = [], []
    for part in _PARTS:
        if (part.start, part.stop) not in normalized:
            # A part at a time: all landmarks at once would take 26 MB for an image of 256 px, several times over.
            normalized[part.start, part.stop] = _normalize(_enlarge(heatmaps[..., part.start : part.stop], scale))
        # Moving commutes with powers and sums: one channel is moved instead of many.
        shape = tf.reduce_sum(_power(normalized[part.start, part.stop], part.power), -1, keepdims=True)
        shift = round(part.shift * height / _SHIFT_SIDE) if part.scaled else part.shift
        shape = tf.roll(shape, -shift, axis=1) if shift else shape
        first.append(shape)
        if part.in_second:
            second.append(shape)
    return _clip(tf.add_n(first)), _clip(tf.add_n(second))


def _normalize(x: tf.Tensor) -> tf.Tensor:
    """Cuts off small values, and stretches every map of every image over [0, 1]."""
    x = tf.where(x < _THRESHOLD, tf.zeros_like(x), x)
    lowest, highest = tf.reduce_min(x, (1, 2), keepdims=True), tf.reduce_max(x, (1, 2), keepdims=True)
    return (x - lowest) / (highest - lowest + _EPSILON)


def _power(x: tf.Tensor, exponent: int) -> tf.Tensor:
    """Multiplies, which is many times faster than TensorFlow's power."""
    result = x
    for _ in range(exponent - 1):
        result *= x
    return result


def _clip(mask: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.where(tf.math.is_nan(mask), tf.zeros_like(mask), mask), 0, 1)


def _enlarge(x: tf.Tensor, scale: int) -> tf.Tensor:
    """Resizes [B, H, W, C] to [B, scale H, scale W, C], bilinearly with aligned corners."""
    if scale == 1:
        return x
    # Two products with small matrices: `tf.image.resize` has no aligned corners.
    rows, columns = (tf.constant(_interpolation(side, scale), x.dtype) for side in x.shape[1:3])
    x = tf.einsum("yh,bhwc->bywc", rows, x)
    return tf.einsum("xw,bywc->byxc", columns, x)


def _interpolation(side: int, scale: int) -> np.ndarray:
    """Returns the matrix [scale side, side] of linear interpolation whose first and last points stay."""
    places = np.linspace(0, side - 1, scale * side)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(side)))
