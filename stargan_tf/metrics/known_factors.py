"""Reads shape, place, size and hue off pictures of the generated data set, by looking at pixels only.

The pictures (`data_prep.synthetic`) show one saturated shape on a grey background with a linear gradient. What differs
from the background is the shape; its centroid and area are its place and size, the best-fitting outline of that place
and area its kind, the mean of its saturated pixels its hue. No network is involved, so nothing can be fooled the way
the trained ones may be. `measure` compares translations with what they were asked to be.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from stargan_tf.data import records
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import DataDirectory
from stargan_tf.errors import UserError
from stargan_tf.translation import Translator

SHAPES = ("circle", "square", "triangle")
_FACTORS = {"x", "y", "radius", "hue"}

# Circumscribed radius of an equilateral triangle and half the side of a square with the area of a unit circle.
_TRIANGLE_RADIUS = math.sqrt(4 * math.pi / (3 * math.sqrt(3)))
_SQUARE_HALF_SIDE = math.sqrt(math.pi) / 2

# Images are in [-1, 1]. Half of the contrast of an outline to a background of similar brightness.
_FOREGROUND = 0.25
_BORDER = 1 / 16
_SATURATED = 0.4
# How far place (fraction of the side) and size (fraction of itself) of an outline may be moved to fit better.
_PLACES = (-0.02, 0.0, 0.02)
_SIZES = (0.92, 1.0, 1.08)


@dataclass(frozen=True)
class Reading:
    """What is seen in N pictures.

    Args:
        shape: index into `SHAPES`, [N] integers.
        x: centroid from the left, [N], as a fraction of the width.
        y: centroid from the top, [N], as a fraction of the height.
        radius: of the circle of the same area, [N], as a fraction of the side.
        hue: [N], 0 to 1; NaN where nothing is saturated.
        fit: intersection over union of the shape with the outline that fits best, [N], 0 to 1.
    """

    shape: np.ndarray
    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    hue: np.ndarray
    fit: np.ndarray


def read(images: np.ndarray) -> Reading:
    """Reads the factors off pictures.

    Args:
        images: [N, H, H, 3] in [-1, 1].

    Returns:
        The reading; a picture without any shape has radius 0, fit 0, and its centre as place.
    """
    rows = [_read_one(image) for image in np.asarray(images, np.float64)]
    columns = np.array(rows, np.float64).reshape(-1, 6).T
    return Reading(columns[0].astype(int), *columns[1:])


def hue_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns how far apart two hues (0 to 1) are on the circle, in degrees from 0 to 180."""
    return np.abs((np.asarray(a) - b + 0.5) % 1.0 - 0.5) * 360


def measure(
    sources: np.ndarray, translations: np.ndarray, shapes: np.ndarray, hues: np.ndarray | None = None
) -> dict[str, float]:
    """Compares translations with what they were asked to be.

    Args:
        sources: [N, H, H, 3] in [-1, 1].
        translations: [N, H, H, 3], one of each source.
        shapes: the shape asked for, indices into `SHAPES`, [N].
        hues: the hue of the reference, [N], if there was one.

    Returns:
        `domain`: share of translations with the shape asked for; `place`: median distance between the shapes' centroids
        in source and translation, as a fraction of the side; `size`: median relative change of the radius; with
        references `hue`: median distance to the reference's hue in degrees.
    """
    before, after = read(sources), read(translations)
    result = {
        "domain": float(np.mean(after.shape == shapes)),
        "place": float(np.median(np.hypot(after.x - before.x, after.y - before.y))),
        "size": float(np.median(np.abs(after.radius - before.radius) / np.maximum(before.radius, 1e-6))),
    }
    if hues is not None:
        # A picture without any hue is as wrong as can be.
        result["hue"] = float(np.median(np.nan_to_num(hue_distance(after.hue, hues), nan=180.0)))
    return result


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


def evaluate(
    translator: Translator, data: DataDirectory, sources_per_domain: int, styles: int, seed: int
) -> dict[str, dict[str, float]]:
    """Translates validation images into every other domain and measures what came out.

    Args:
        translator: the trained networks.
        data: a data directory made from `data_prep.synthetic`.
        sources_per_domain: sources taken of each domain.
        styles: latent codes and references tried for each source and target.
        seed: of the latent codes and of the choice of references.

    Returns:
        `real`: how well the reading itself does on real images (`domain`, `place`, `size`, `hue` as in `measure`, and
        `hue_spread` of their hues); `latent` and `reference`: the same of translations, with `hue_spread` over the
        latent codes of one source and target, averaged.

    Raises:
        UserError: the data has no known factors.
    """
    rng = np.random.default_rng(seed)
    images, factors = {}, {}
    for domain in data.domains:
        split = records.split_name("val", domain)
        images[domain], _, factors[domain] = read_images(data, split)
        if domain not in SHAPES or not all(known.keys() >= _FACTORS for known in factors[domain]):
            raise UserError(
                f"the data {str(data.path)!r} has no known factors; data_prep.synthetic makes data that has"
            )

    asked = {"latent": [], "reference": []}  # of each translation: source, translation, shape, hue of the reference
    spreads = []
    for source_domain, domain in tqdm(list(itertools.permutations(data.domains, 2)), desc="measuring", disable=None):
        sources = images[source_domain][:sources_per_domain]
        latents = rng.standard_normal((styles, translator.latent_dim), np.float32)
        chosen = rng.choice(len(images[domain]), styles, replace=len(images[domain]) < styles)
        hues = [factors[domain][index]["hue"] for index in chosen]
        guides = {
            "latent": (translator.styles_from_latents(latents, domain), [math.nan] * styles),
            "reference": (translator.styles_from_references(images[domain][chosen], domain), hues),
        }
        for guide, (codes, hues_of) in guides.items():
            translations = translator.translate_all(sources, codes)  # [styles, N, H, W, 3]
            for translated, hue in zip(translations, hues_of, strict=True):
                asked[guide] += [(*pair, SHAPES.index(domain), hue) for pair in zip(sources, translated, strict=True)]
            if guide == "latent":
                spreads += [hue_spread(read(of_source).hue) for of_source in translations.swapaxes(0, 1)]

    result = {"real": _evaluate_reading(images, factors)}
    for guide, rows in asked.items():
        before, after, shapes, hues = (np.array(column) for column in zip(*rows, strict=True))
        result[guide] = measure(before, after, shapes, hues if guide == "reference" else None)
    result["latent"]["hue_spread"] = float(np.mean(spreads))
    return result


def has_known_factors(data: DataDirectory) -> bool:
    """Returns whether `evaluate` can say anything about the data, by the first validation image of each domain."""
    if not set(data.domains) <= set(SHAPES):
        return False
    for domain in data.domains:
        split = records.split_name("val", domain)
        factors = read_images(data, split, 1)[2] if data.num_examples.get(split, 0) else [{}]
        if not factors[0].keys() >= _FACTORS:
            return False
    return True


def _evaluate_reading(images: dict[str, np.ndarray], factors: dict[str, list[dict]]) -> dict[str, float]:
    """Compares what is read off real images with what is known of them."""
    reading = read(np.concatenate(list(images.values())))
    shapes = np.concatenate([[SHAPES.index(domain)] * len(known) for domain, known in factors.items()])
    known = [factor for of_domain in factors.values() for factor in of_domain]
    x, y, radius, hue = (np.array([factor[name] for factor in known]) for name in ("x", "y", "radius", "hue"))
    return {
        "domain": float(np.mean(reading.shape == shapes)),
        "place": float(np.median(np.hypot(reading.x - x, reading.y - y))),
        "size": float(np.median(np.abs(reading.radius / radius - 1))),
        "hue": float(np.median(hue_distance(reading.hue, hue))),
        "hue_spread": hue_spread(hue),
    }


def _read_one(image: np.ndarray) -> tuple[int, float, float, float, float, float]:
    side = image.shape[0]
    centres = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(centres, centres)
    coverage = np.clip(np.abs(image - _background(image, x, y)).max(axis=-1) / _FOREGROUND, 0, 1)
    coverage[coverage < 0.5] = 0
    area = coverage.sum()
    if area < 4:  # pixels: noise
        return 0, 0.5, 0.5, 0.0, math.nan, 0.0
    place = (float((coverage * x).sum() / area), float((coverage * y).sum() / area))
    radius = math.sqrt(area / math.pi) / side

    fits = [
        max(
            _overlap(coverage, _outline(shape, x, y, place[0] + dx, place[1] + dy, size * radius, side))
            for dx in _PLACES
            for dy in _PLACES
            for size in _SIZES
        )
        for shape in SHAPES
    ]
    best = int(np.argmax(fits))
    return best, *place, radius, _hue(image[coverage > 0.5]), fits[best]


def _background(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Continues the border's pixels, [H, W, 3], to the middle: a plane for each colour, by least squares."""
    border = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < _BORDER
    plane = np.stack([np.ones_like(x), x, y], axis=-1)
    coefficients, *_ = np.linalg.lstsq(plane[border], image[border], rcond=None)
    return plane @ coefficients


def _outline(shape: str, x: np.ndarray, y: np.ndarray, cx: float, cy: float, radius: float, side: int) -> np.ndarray:
    """How much of each pixel a shape covers, from its signed distance."""
    dx, dy = x - cx, y - cy
    if shape == "circle":
        inside = radius - np.hypot(dx, dy)
    elif shape == "square":
        inside = _SQUARE_HALF_SIDE * radius - np.maximum(np.abs(dx), np.abs(dy))
    else:  # an equilateral triangle that points up; its inscribed radius is half the circumscribed one
        slanted = (np.abs(dx) * math.sqrt(3) - dy) / 2
        inside = _TRIANGLE_RADIUS * radius / 2 - np.maximum(dy, slanted)
    return np.clip(inside * side + 0.5, 0, 1)


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
