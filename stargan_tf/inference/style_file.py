"""A style as a small JSON file: the code, where it comes from, and the networks that it belongs to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text
from stargan_tf.data.manifest import hash_file

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator

ORIGINS = ("seed", "psi", "latent", "reference", "reference_sha256")


@dataclass(frozen=True)
class Style:
    """A style code of a domain.

    Args:
        code: float32 [style_dim].
        domain: name of the domain that it belongs to.
        origin: how to obtain it again: `seed`, `psi` and `latent`, or `reference` (the path of the image) and
            `reference_sha256`.
    """

    code: np.ndarray
    domain: str
    origin: Mapping[str, Any]


def origin_label(origin: Mapping[str, Any]) -> str:
    """Returns how a row of a grid in a drawn style is called: by its seed and, where it was truncated, by psi."""
    if "seed" not in origin:
        return ""
    psi = origin.get("psi", 1)
    return f"seed {origin['seed']}" + ("" if psi == 1 else f", psi {psi:g}")


def drawn_styles(
    translator: "Translator", domain: str, seeds: list[int], psi: float, latents: np.ndarray
) -> list[Style]:
    """Maps latent codes to styles of a domain.

    Args:
        translator: has the networks.
        domain: its name.
        seeds: of the latent codes.
        psi: truncation, see `Translator.styles_from_latents`.
        latents: [N, latent_dim], drawn from the seeds.

    Returns:
        N styles.
    """
    codes = translator.styles_from_latents(latents, domain, psi)
    return [
        Style(code, domain, {"seed": seed, "psi": psi, "latent": latent.tolist()})
        for code, seed, latent in zip(codes, seeds, latents, strict=True)
    ]


def reference_styles(translator: "Translator", domain: str, images: list[tuple[Path, np.ndarray]]) -> list[Style]:
    """Encodes the styles of reference images, in batches.

    Args:
        translator: has the networks.
        domain: name of the domain that the images are taken to be of.
        images: N paths, each with its image [H, W, 3] in [-1, 1].

    Returns:
        N styles.
    """
    codes = translator.styles_from_references(np.stack([image for _, image in images]), domain)
    return [Style(code, domain, reference_origin(path)) for code, (path, _) in zip(codes, images, strict=True)]


def reference_origin(path: Path) -> dict[str, str]:
    """Returns where a style that was taken from an image is from: the path, and the hash of what is there."""
    return {"reference": str(path), "reference_sha256": hash_file(str(path))[0]}


def write(style: Style, path: Path, translator: "Translator", run: str) -> None:
    """Writes a style.

    Args:
        style: what to write; its numbers are written exactly.
        path: the file; its folder is made.
        translator: the networks that the style belongs to.
        run: their run directory, as a note for the reader.
    """
    write_text(path, text(style, {"run": run, "step": translator.step, "networks": translator.fingerprint}))


def text(style: Style, made_by: Mapping[str, Any]) -> str:
    """Returns the content of a style file.

    Args:
        style: its numbers are written exactly.
        made_by: the networks that the style belongs to: at least `networks`, their fingerprint.
    """
    entry = {"domain": style.domain, **style.origin, **made_by, "style": style.code.tolist()}
    # One line for each entry, lists included.
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def made_by(card: Mapping[str, Any]) -> dict[str, Any]:
    """Tells the networks of an exported model by its model card; `networks` is None in those of earlier versions."""
    return {"model": card["name"], **{name: card.get(name) for name in ("version", "step", "networks")}}


def read(path: Path, translator: "Translator", other_networks: bool = False) -> Style:
    """Reads a style to be used with certain networks.

    Args:
        path: a file that `write` made.
        translator: what the style is to be used with.
        other_networks: whether a style of other networks, for example of an earlier step, is accepted.

    Returns:
        The style.

    Raises:
        UserError: the file is missing or damaged, or the style belongs to other networks, or to a domain that these do
            not know.
    """
    entry = load_for(path, translator.domains, translator.style_dim)
    code = np.asarray(entry["style"], np.float32)
    if entry["networks"] != translator.fingerprint and not other_networks:
        raise UserError(
            f"the style in {str(path)!r} was made by other networks (step {entry.get('step')}, {entry['networks']}) "
            f"than the run's (step {translator.step}, {translator.fingerprint}), to which it may mean another style; "
            f"{_found_again(entry)}, or give --other_networks to use it as it is"
        )
    origin: dict[str, Any] = {key: entry[key] for key in ORIGINS if key in entry}
    return Style(code, entry["domain"], origin)


def load_for(path: Path, domains: Sequence[str], style_dim: int) -> dict[str, Any]:
    """Reads the entries of a style file that is to be used with a run, whose networks need not be loaded for that.

    Args:
        path: a file that `write` made.
        domains: that the run knows.
        style_dim: length of its style codes.

    Returns:
        As `load`.

    Raises:
        UserError: the file is missing or damaged, or cannot be of this run.
    """
    entry = load(path)
    if len(entry["style"]) != style_dim:
        raise UserError(
            f"the style in {str(path)!r} has {len(entry['style'])} numbers, but the run's have {style_dim} "
            "(model.style_dim); use it with the run that it was made with"
        )
    if entry["domain"] not in domains:
        raise UserError(
            f"the style in {str(path)!r} is of domain {entry['domain']!r}; the run knows {', '.join(domains)}"
        )
    return entry


def load(path: Path) -> dict[str, Any]:
    """Reads the entries of a style file, whatever networks it belongs to.

    Args:
        path: a file that `write` made.

    Returns:
        At least `domain`, `networks` and `style`.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        entry = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read the style file {str(path)!r} (--style): {error.strerror or error}") from None
    except ValueError:
        entry = None
    if (
        not isinstance(entry, dict)
        or not {"domain", "networks", "style"} <= entry.keys()
        or not isinstance(entry["style"], list)
        or not all(isinstance(number, int | float) for number in entry["style"])
        or not np.isfinite(entry["style"]).all()
    ):
        raise UserError(
            f"{str(path)!r} (--style) is not a style file; `python -m stargan_tf.sample` writes them to OUTPUT/styles/"
        )
    return entry


def _found_again(entry: Mapping[str, Any]) -> str:
    if "seed" in entry:
        return f"draw it anew with --seed {entry['seed']} --psi {entry.get('psi')}"
    if "reference" in entry:
        return f"take it anew from its reference {entry['reference']!r}"
    return "make it anew"
