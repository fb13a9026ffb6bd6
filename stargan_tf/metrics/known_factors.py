"""Compares translations of the generated data set with what was asked for.

The factors are read off the pictures (`picture_reading`): a translation is right if its shape is the target domain's,
its place and size the source's, and hue, texture and outline the reference's.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from stargan_tf.base import progress
from stargan_tf.base.errors import UserError
from stargan_tf.data import records
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import DataDirectory
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics.picture_reading import (
    OUTLINES,
    SHAPES,
    TEXTURES,
    Reading,
    hue_distance,
    hue_spread,
    read,
)

# What `evaluate` needs to know of each image.
FACTORS = frozenset({"x", "y", "radius", "hue", "texture", "outline"})

# A hue of the data counts as covered if a drawn style gives one within this distance, in degrees.
COVERED_WITHIN = 15.0
# Styles drawn to measure coverage, and source images that are translated for it.
_DRAWN_STYLES = 64


def measure(before: Reading, after: Reading, shape: int, style: Mapping[str, np.ndarray] | None = None) -> dict:
    """Compares translations with their sources and references, one by one.

    Args:
        before: reading of N sources.
        after: reading of the translation of each.
        shape: the shape asked for, an index into `SHAPES`.
        style: `hue`, `texture` and `outline` asked for, [N] each, if there were references.

    Returns:
        Arrays [N]: `domain` (whether the shape is the one asked for), `place` (distance between the centroids, as a
        fraction of the side), `size` (relative change of the radius), and with references `hue` (distance in degrees;
        180 where no hue is seen), `texture` and `outline` (whether it is the one asked for).
    """
    result = {
        "domain": after.shape == shape,
        "place": np.hypot(after.x - before.x, after.y - before.y),
        "size": np.abs(after.radius - before.radius) / np.maximum(before.radius, 1e-6),
    }
    if style is not None:
        result["hue"] = np.nan_to_num(hue_distance(after.hue, style["hue"]), nan=180.0)
        result["texture"] = after.texture == style["texture"]
        result["outline"] = after.outline == style["outline"]
    return result


def coverage(real: np.ndarray, drawn: np.ndarray) -> float:
    """Returns the share of the hues `real` [N] with one of `drawn` [M] (0 to 1, or NaN) within `COVERED_WITHIN`."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return 0.0
    return float(np.mean(hue_distance(real[:, None], drawn[None, :]).min(axis=1) <= COVERED_WITHIN))


def has_known_factors(data: DataDirectory) -> bool:
    """Returns whether `evaluate` can say anything about the data, by the first validation image of each domain."""
    if not set(data.domains) <= set(SHAPES):
        return False
    for domain in data.domains:
        split = records.split_name("val", domain)
        factors = read_images(data, split, 1)[2] if data.num_examples.get(split, 0) else [{}]
        if not factors[0].keys() >= FACTORS:
            return False
    return True


def check_data(data: DataDirectory) -> None:
    """Raises UserError if `evaluate` can say nothing about the data."""
    if not has_known_factors(data):
        raise UserError(f"the data {data.path!r} has no known factors; data_prep.synthetic makes data that has")


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
        `real`: how well the reading itself does on real images, and the spread of their hues. `latent` and `reference`:
        of translations `domain`, `place`, `size`, `hue`, `texture`, `outline` as in `measure`, shares and medians over
        all of them; `worst_domain`, the lowest share of one target domain; `hue_of_source`, the mean distance of hue in
        degrees between translations of different sources in one style (0 if the style alone decides); `cycle`, the mean
        absolute difference, in grey levels of 255, between the source and its translation translated back. `latent`
        has besides `hue_spread` (over the styles of one source and target, averaged), `worst_hue_spread` (of one target
        domain), and `hue_coverage`, the `coverage` of the worst domain.

    Raises:
        UserError: the data has no known factors.
    """
    images, factors = _read_validation_images(data)
    rng = np.random.default_rng(seed)
    seen: dict[str, list] = {"latent": [], "reference": []}
    pairs = list(itertools.permutations(data.domains, 2))
    for source_domain, domain in progress.each(pairs, "measuring", "pairs of domains"):
        sources = images[source_domain][:sources_per_domain]
        latents = rng.standard_normal((styles, translator.latent_dim), np.float32)
        chosen = rng.choice(len(images[domain]), styles, replace=len(images[domain]) < styles)
        wanted = _style_factors([factors[domain][index] for index in chosen])
        guides = {
            "latent": (translator.styles_from_latents(latents, domain), None),
            "reference": (translator.styles_from_references(images[domain][chosen], domain), wanted),
        }
        back = translator.styles_from_references(sources, source_domain)
        before = read(sources)
        for guide, (codes, style) in guides.items():
            translations = translator.translate_all(sources, codes)  # [styles, N, H, W, 3]
            seen[guide].append(_measure_task(translator, domain, sources, before, translations, style, back))

    result = {"real": _measure_reading(images, factors)}
    for guide, tasks in seen.items():
        result[guide] = _summarize(tasks)
    result["latent"]["hue_coverage"] = min(
        _covered(translator, images, factors, domain, rng) for domain in data.domains
    )
    return result


def _read_validation_images(data: DataDirectory) -> tuple[dict[str, np.ndarray], dict[str, list[dict]]]:
    images, factors = {}, {}
    for domain in data.domains:
        images[domain], _, factors[domain] = read_images(data, records.split_name("val", domain))
        if domain not in SHAPES or not all(known.keys() >= FACTORS for known in factors[domain]):
            raise UserError(f"the data {data.path!r} has no known factors; data_prep.synthetic makes data that has")
    return images, factors


def _style_factors(known: Sequence[Mapping]) -> dict[str, np.ndarray]:
    return {
        "hue": np.array([factor["hue"] for factor in known]),
        "texture": np.array([TEXTURES.index(factor["texture"]) for factor in known]),
        "outline": np.array([OUTLINES.index(factor["outline"]) for factor in known]),
    }


def _measure_task(
    translator: Translator,
    domain: str,
    sources: np.ndarray,
    before: Reading,
    translations: np.ndarray,
    style: Mapping[str, np.ndarray] | None,
    back: np.ndarray,
) -> dict:
    """Measures the translations [S, N, H, W, 3] of N sources into one domain in S styles."""
    readings = [read(of_style) for of_style in translations]
    measured = [
        measure(
            before,
            after,
            SHAPES.index(domain),
            None if style is None else {name: np.full(len(sources), of[index]) for name, of in style.items()},
        )
        for index, after in enumerate(readings)
    ]
    hues = np.stack([reading.hue for reading in readings])  # [S, N]
    restored = translator.translate(translations[0], back)
    return {
        "target": domain,
        "measured": {name: np.concatenate([one[name] for one in measured]) for name in measured[0]},
        "hue_spread": float(np.mean([hue_spread(of_source) for of_source in hues.T])),
        "hue_of_source": float(np.mean([hue_spread(of_style) for of_style in hues])),
        "cycle": float(np.mean(np.abs(restored - sources))) * 127.5,
    }


def _summarize(tasks: Sequence[Mapping]) -> dict[str, float]:
    result = {}
    for name in tasks[0]["measured"]:
        values = np.concatenate([task["measured"][name] for task in tasks])
        result[name] = float(np.mean(values) if values.dtype == bool else np.median(values))
    targets = sorted({task["target"] for task in tasks})
    of_target = {target: [task for task in tasks if task["target"] == target] for target in targets}
    result["worst_domain"] = min(
        float(np.mean(np.concatenate([task["measured"]["domain"] for task in of]))) for of in of_target.values()
    )
    for name in ("hue_of_source", "cycle"):
        result[name] = float(np.mean([task[name] for task in tasks]))
    if "hue" not in result:
        result["hue_spread"] = float(np.mean([task["hue_spread"] for task in tasks]))
        result["worst_hue_spread"] = min(
            float(np.mean([task["hue_spread"] for task in of])) for of in of_target.values()
        )
    return result


def _covered(translator: Translator, images: Mapping, factors: Mapping, domain: str, rng: np.random.Generator) -> float:
    """How many of the hues that occur in a domain are met by styles drawn for it, one source each."""
    others = [other for other in images if other != domain]
    sources = np.stack([images[others[i % len(others)]][i % len(images[others[0]])] for i in range(_DRAWN_STYLES)])
    latents = rng.standard_normal((_DRAWN_STYLES, translator.latent_dim), np.float32)
    drawn = read(translator.translate(sources, translator.styles_from_latents(latents, domain))).hue
    return coverage(_style_factors(factors[domain])["hue"], drawn)


def _measure_reading(images: Mapping[str, np.ndarray], factors: Mapping[str, list[dict]]) -> dict[str, float]:
    """Compares what is read off real images with what is known of them."""
    reading = read(np.concatenate(list(images.values())))
    shapes = np.concatenate([[SHAPES.index(domain)] * len(known) for domain, known in factors.items()])
    known = [factor for of_domain in factors.values() for factor in of_domain]
    x, y, radius = (np.array([factor[name] for factor in known]) for name in ("x", "y", "radius"))
    style = _style_factors(known)
    return {
        "domain": float(np.mean(reading.shape == shapes)),
        "place": float(np.median(np.hypot(reading.x - x, reading.y - y))),
        "size": float(np.median(np.abs(reading.radius / radius - 1))),
        "hue": float(np.median(np.nan_to_num(hue_distance(reading.hue, style["hue"]), nan=180.0))),
        "texture": float(np.mean(reading.texture == style["texture"])),
        "outline": float(np.mean(reading.outline == style["outline"])),
        "hue_spread": hue_spread(style["hue"]),
    }
