"""The styles that a job draws every image in: planned and checked without a network, then made by the model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.translation.models import ExportedModel, Functions
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_name, numbered
from stargan_tf.base.ranges import NonNegativeInt, PositiveInt, Share
from stargan_tf.data.images import UnreadableImage, read_image, to_array
from stargan_tf.inference import style_file
from stargan_tf.inference.inputs import find_references


@dataclass(frozen=True, kw_only=True)
class StyleOptions:
    """Which styles images are drawn in.

    Args:
        domain: names of the domains to translate into, one or more; by default all.
        styles: styles drawn for each domain, by default 1.
        seed: of the first style drawn, by default 0; the next have the seeds that follow.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        style: style files of `stargan_tf.sample` instead, one or more, each in the domain that it belongs to; the model
            must be exported from the networks that they belong to.
        reference: folder with a folder of reference images for each domain instead, by its name; with one --domain also
            an image, or a folder of images.
        references: references used of each domain, at most, evenly spread over its images.
    """

    domain: list[str] | None = None
    styles: PositiveInt | None = None
    seed: NonNegativeInt | None = None
    psi: Share | None = None
    style: list[str] = field(default_factory=list)
    reference: str | None = None
    references: PositiveInt | None = None


@dataclass(frozen=True)
class Style:
    """A style that images are drawn in.

    Args:
        domain: name of the domain.
        name: tells it apart from others of the domain; a name for a folder.
        origin: how it is found again: seed and psi, or the reference or the style file with the hash of its content.
        given: the style code, or the reference image as an array; None for a style that is drawn.
    """

    domain: str
    name: str
    origin: dict[str, Any]
    given: np.ndarray | None = None


def plan_styles(options: StyleOptions, model: ExportedModel) -> list[Style]:
    """Checks what is asked for, and reads the files that it needs.

    Args:
        options: what is asked for.
        model: which will draw.

    Returns:
        At least one style.

    Raises:
        UserError: styles of two kinds, an unknown domain, or a file that cannot be read or is of another model.
    """
    drawing = [f"--{name}" for name in ("styles", "seed", "psi") if getattr(options, name) is not None]
    asked = drawing[:1] + ["--reference"] * bool(options.reference) + ["--style"] * bool(options.style)
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} are given; a job takes styles from one of them only")
    if options.references is not None and not options.reference:
        raise UserError("--references is given without --reference, whose images it counts")
    if options.style and options.domain:
        raise UserError("--domain is given, but style files belong to a domain already; leave it out")
    domains = tuple(dict.fromkeys(options.domain)) if options.domain else model.domains
    for domain in domains:
        if domain not in model.domains:
            raise UserError(f"--domain is {domain!r}; the model knows {', '.join(model.domains)}")
    if options.style:
        return _saved(options.style, model)
    if options.reference:
        return _references(Path(options.reference), domains, options.references or 1, model)
    first, psi = options.seed or 0, 1.0 if options.psi is None else options.psi
    seeds = range(first, first + (options.styles or 1))
    if seeds[-1] >= 2**63:
        raise UserError(f"--seed is {first}; seeds must be whole numbers below 2^63")
    return [Style(domain, f"seed_{seed}", {"seed": seed, "psi": psi}) for domain in domains for seed in seeds]


def _saved(paths: Sequence[str], model: ExportedModel) -> list[Style]:
    names = numbered(file_name(f"style_{Path(path).stem}") for path in paths)
    styles = []
    for path, name in zip(paths, names, strict=True):
        entry = style_file.load(Path(path))
        code = np.array(entry["style"], np.float32)
        if entry["domain"] not in model.domains:
            known = ", ".join(model.domains)
            raise UserError(f"the style in {path!r} is of domain {entry['domain']!r}; the model knows {known}")
        if len(code) != model.card["style_dim"]:
            raise UserError(
                f"the style in {path!r} has {len(code)} numbers, but the model's have {model.card['style_dim']}; use "
                "it with a model of the networks that it was made with"
            )
        origin = {"style_file": Path(path).name, "networks": entry["networks"], "style_sha256": _sha256(code.tobytes())}
        styles.append(Style(entry["domain"], name, origin, code))
    return styles


def _references(folder: Path, domains: Sequence[str], count: int, model: ExportedModel) -> list[Style]:
    styles = []
    for domain, paths in find_references(folder, domains, count).items():
        names = numbered(file_name(f"reference_{path.stem}") for path in paths)
        for path, name in zip(paths, names, strict=True):
            try:
                data = path.read_bytes()
                image = to_array(read_image(data, model.image_size, model.images))
            except (OSError, UnreadableImage) as error:
                raise UserError(f"the reference {str(path)!r} cannot be read: {error}") from None
            styles.append(Style(domain, name, {"reference": path.name, "reference_sha256": _sha256(data)}, image))
    return styles


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_codes(styles: Sequence[Style], model: ExportedModel, functions: Functions) -> np.ndarray:
    """Makes style codes, one after the other, so that none depends on which others there are.

    Args:
        styles: what is wanted.
        model: which makes them.
        functions: the model, loaded.

    Returns:
        float32 [S, style_dim].
    """
    codes = []
    for style in styles:
        if "seed" in style.origin:
            from stargan_tf.inference.translator import latents_of_seeds  # TensorFlow's numbers, whatever the runtime

            (latent,) = latents_of_seeds(np.array([style.origin["seed"]], np.int64), model.card["latent_dim"]).numpy()
            codes.append(functions.map_latent(latent, style.domain, style.origin["psi"]))
        elif "reference" in style.origin:
            assert style.given is not None  # read when it was planned
            codes.append(functions.encode_style(style.given, style.domain))
        else:
            assert style.given is not None
            codes.append(style.given)
    return np.stack(codes).astype(np.float32)
