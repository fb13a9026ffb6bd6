"""A style as a small JSON file: the code, where it comes from, and the networks that it belongs to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text

if TYPE_CHECKING:
    from stargan_tf.inference.translator import Translator


@dataclass(frozen=True)
class Style:
    """A style code of a domain.

    Args:
        code: float32 [style_dim].
        domain: name of the domain that it belongs to.
        origin: how to obtain it again: `seed`, `psi` and `latent`, or `reference` (the path of the image).
    """

    code: np.ndarray
    domain: str
    origin: Mapping[str, Any]


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
    return [Style(code, domain, {"reference": str(path)}) for code, (path, _) in zip(codes, images, strict=True)]


def write(style: Style, path: Path, translator: "Translator", run: str) -> None:
    """Writes a style.

    Args:
        style: what to write; its numbers are written exactly.
        path: the file; its folder is made.
        translator: the networks that the style belongs to.
        run: their run directory, as a note for the reader.
    """
    entry = {
        "domain": style.domain,
        **style.origin,
        "run": run,
        "step": translator.step,
        "networks": translator.fingerprint,
        "style": style.code.tolist(),
    }
    # One line for each entry, lists included.
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items()]
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


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
    entry = load(path)
    code = np.asarray(entry["style"], np.float32)
    if len(code) != translator.style_dim:
        raise UserError(
            f"the style in {str(path)!r} has {len(code)} numbers, but the run's have {translator.style_dim} "
            "(model.style_dim); use it with the run that it was made with"
        )
    if entry["domain"] not in translator.domains:
        raise UserError(
            f"the style in {str(path)!r} is of domain {entry['domain']!r}; the run knows "
            f"{', '.join(translator.domains)}"
        )
    if entry["networks"] != translator.fingerprint and not other_networks:
        raise UserError(
            f"the style in {str(path)!r} was made by other networks (step {entry.get('step')}, {entry['networks']}) "
            f"than the run's (step {translator.step}, {translator.fingerprint}), to which it may mean another style; "
            f"{_found_again(entry)}, or give --other_networks to use it as it is"
        )
    origin: dict[str, Any] = {key: entry[key] for key in ("seed", "psi", "latent", "reference") if key in entry}
    return Style(code, entry["domain"], origin)


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
    return f"take it anew from its reference {entry.get('reference')!r}"
