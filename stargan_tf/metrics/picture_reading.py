"""Reads the factors off pictures of the generated data set, by looking at pixels only.

The pictures (`data_prep.synthetic`) show one saturated shape on a grey background with a linear gradient. What differs
from the background is the shape; its centroid and area are its place and size, the best-fitting figure of that place
and area its kind, the mean of its saturated pixels its hue. Its texture is the pattern that its brightness follows, and
its outline what the pixels along its edge look like. No network is involved, so nothing can be fooled as a trained one
may be.
"""

import math
from dataclasses import dataclass

import numpy as np

SHAPES = ("circle", "square", "triangle")
TEXTURES = ("plain", "stripes", "checks")
OUTLINES = ("none", "dark", "light")

# How `data_prep.synthetic` draws: height of a stripe and side of a check, and width of an outline, of the image's side.
TEXTURE_PITCH = 0.095
OUTLINE_WIDTH = 0.05

# Circumscribed radius of an equilateral triangle and half the side of a square with the area of a unit circle.
_TRIANGLE_RADIUS = math.sqrt(4 * math.pi / (3 * math.sqrt(3)))
_SQUARE_HALF_SIDE = math.sqrt(math.pi) / 2

# Images are in [-1, 1]. Half of the contrast of an outline to a background of similar brightness.
_FOREGROUND = 0.25
_BORDER = 1 / 16
_SATURATED = 0.4
# By how much the place (fraction of the side) and size (fraction of itself) of a figure may change to fit better.
_PLACES = (-0.02, 0.0, 0.02)
_SIZES = (0.92, 1.0, 1.08)
# The patterns are sampled at this multiple of the pixels, since a stripe is hardly three pixels high.
_SUPERSAMPLING = 4
# Least correlation between the brightness of a fill and a pattern by which the fill is said to have it.
_PATTERN = 0.5


@dataclass(frozen=True)
class Reading:
    """The factors read off N pictures.

    Args:
        shape: index into `SHAPES`, [N] integers.
        x: centroid from the left, [N], as a fraction of the width.
        y: centroid from the top, [N], as a fraction of the height.
        radius: of the circle of the same area, [N], as a fraction of the side.
        hue: [N], 0 to 1; NaN where nothing is saturated.
        texture: index into `TEXTURES`, [N] integers.
        outline: index into `OUTLINES`, [N] integers.
        fit: intersection over union of the shape with the figure that fits best, [N], 0 to 1.
    """

    shape: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    hue: np.ndarray
    texture: np.ndarray
    outline: np.ndarray
    fit: np.ndarray


def read(images: np.ndarray) -> Reading:
    """Reads the factors off pictures.

    Args:
        images: [N, H, H, 3] in [-1, 1].

    Returns:
        The reading; a picture without any shape has radius 0, fit 0, and its centre as place.
    """
    rows = [_read_one(image) for image in np.asarray(images, np.float64)]
    shape, x, y, radius, hue, texture, outline, fit = np.array(rows, np.float64).reshape(-1, 8).T
    return Reading(shape.astype(int), x, y, radius, hue, texture.astype(int), outline.astype(int), fit)


def hue_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how far apart two hues (0 to 1) are on the circle, in degrees from 0 to 180."""
    return np.abs((np.asarray(a) - b + 0.5) % 1.0 - 0.5) * 360


def hue_spread(hues: np.ndarray) -> float:
    """Returns the mean distance between all pairs of hues in degrees: 90 if they are spread evenly, 0 if all are equal.

    Args:
        hues: [N], 0 to 1; NaN counts for nothing.
    """
    hues = hues[~np.isnan(hues)]
    if len(hues) < 2:
        return 0.0
    first, second = np.triu_indices(len(hues), k=1)
    return float(np.mean(hue_distance(hues[first], hues[second])))


def _read_one(image: np.ndarray) -> tuple[int, float, float, float, float, int, int, float]:
    side = image.shape[0]
    centres = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(centres, centres)
    coverage = np.clip(np.abs(image - _background(image, x, y)).max(axis=-1) / _FOREGROUND, 0, 1)
    coverage[coverage < 0.5] = 0
    area = coverage.sum()
    if area < 4:  # pixels: noise
        return 0, 0.5, 0.5, 0.0, math.nan, 0, 0, 0.0
    place = (float((coverage * x).sum() / area), float((coverage * y).sum() / area))
    radius = math.sqrt(area / math.pi) / side

    fit, shape, depth = -1.0, 0, coverage
    for candidate in range(len(SHAPES)):
        for dx in _PLACES:
            for dy in _PLACES:
                for size in _SIZES:
                    inside = _depth(SHAPES[candidate], x, y, place[0] + dx, place[1] + dy, size * radius)
                    overlap = _overlap(coverage, np.clip(inside * side + 0.5, 0, 1))
                    if overlap > fit:
                        fit, shape, depth = overlap, candidate, inside
    return (
        shape,
        *place,
        radius,
        _hue(image[coverage > 0.5]),
        _texture(image, depth, place),
        _outline(image, depth),
        fit,
    )


def _background(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Continues the border's pixels, [H, W, 3], to the middle: a plane for each colour, by least squares."""
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < _BORDER
    plane = np.stack([np.ones_like(x), x, y], axis=-1)
    coefficients, *_ = np.linalg.lstsq(plane[border], image[border], rcond=None)
    return plane @ coefficients


def _depth(shape: str, x: np.ndarray, y: np.ndarray, cx: float, cy: float, radius: float) -> np.ndarray:
    """How far inside a shape each pixel lies, as a fraction of the side; negative outside."""
    dx, dy = x - cx, y - cy
    if shape == "circle":
        return radius - np.hypot(dx, dy)
    if shape == "square":
        return _SQUARE_HALF_SIDE * radius - np.maximum(np.abs(dx), np.abs(dy))
    # An equilateral triangle that points up; its inscribed radius is half the circumscribed one.
    slanted = (np.abs(dx) * math.sqrt(3) - dy) / 2
    return _TRIANGLE_RADIUS * radius / 2 - np.maximum(dy, slanted)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two coverages."""
    return float(np.minimum(a, b).sum() / np.maximum(a, b).sum())


def _hue(pixels: np.ndarray) -> float:
    """The hue of the mean chroma of saturated pixels, [N, 3]; NaN if there are none."""
    pixels = np.clip(pixels, -1, 1)
    pixels = pixels[pixels.max(axis=-1) - pixels.min(axis=-1) > _SATURATED]
    if not len(pixels):
        return math.nan
    red, green, blue = pixels.mean(axis=0)
    # The angle in the plane across the grey axis.
    return math.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue) / (2 * math.pi) % 1.0


def _texture(image: np.ndarray, depth: np.ndarray, place: tuple[float, float]) -> int:
    """Which pattern the brightness of the fill follows, wherever the pattern may start."""
    side = image.shape[0]
    fill = depth > OUTLINE_WIDTH + 0.5 / side
    brightness = image.max(axis=-1)[fill]
    if len(brightness) < 8 or brightness.std() < 0.05:
        return 0
    fine = (np.arange(side * _SUPERSAMPLING) + 0.5) / (side * _SUPERSAMPLING)
    best, texture = _PATTERN, 0
    for shift_y in np.arange(-0.5, 0.5, 0.125):
        rows = np.round((fine - place[1]) / TEXTURE_PITCH + shift_y) % 2
        stripes = np.repeat(_average(rows)[:, None], side, 1)
        best, texture = max((best, texture), (_correlation(brightness, 1 - stripes[fill]), 1))
        for shift_x in np.arange(-0.5, 0.5, 0.125):
            columns = np.round((fine - place[0]) / TEXTURE_PITCH + shift_x) % 2
            odd_rows, odd_columns = _average(rows)[:, None], _average(columns)[None, :]
            checks = odd_rows + odd_columns - 2 * odd_rows * odd_columns
            best, texture = max((best, texture), (_correlation(brightness, 1 - checks[fill]), 2))
    return texture


def _average(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(-1, _SUPERSAMPLING).mean(axis=1)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(math.sqrt((a * a).sum() * (b * b).sum()), 1e-9))


def _outline(image: np.ndarray, depth: np.ndarray) -> int:
    """Whether the pixels along the edge are grey, and then whether they are dark or light."""
    side = image.shape[0]
    edge = image[(depth > 0.3 / side) & (depth < OUTLINE_WIDTH - 0.3 / side)]
    if not len(edge):
        return 0
    if np.median(edge.max(axis=-1) - edge.min(axis=-1)) > _SATURATED:
        return 0
    return 1 if np.median(edge.mean(axis=-1)) < 0 else 2
