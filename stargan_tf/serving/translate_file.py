"""Translates an image file by a served model, and writes images and style codes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import file_name
from stargan_tf.base.ranges import PositiveInt, Share
from stargan_tf.inference import provenance, style_file
from stargan_tf.serving.protocols import ServerFlags, connect
from stargan_tf.serving.remote_model import Client
from stargan_tf.serving.served_model import ServedModel, Translation

# Asks a model to translate an encoded image into an image format.
Ask = Callable[[Client, bytes, str], list[Translation]]
# The domain of a style, if it is known, and what it was made of.
Origin = tuple[str | None, Mapping[str, Any]]

_STYLE_SUFFIX = ".json"
_SUFFIXES = {"png": (".png",), "jpeg": (".jpg", ".jpeg")}


@dataclass(frozen=True, kw_only=True)
class Translate(ServerFlags):
    """What to translate, and where to.

    Args:
        image: file to translate; JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF.
        output: directory to write into, or with one style also the file to write (.png, .jpg).
        domain: name of the target domain; left out with --style, whose codes belong to a domain already.
        seed: seed of the first style drawn, by default 0; further styles have the seeds that follow.
        styles: number of styles drawn.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        reference: image file whose style is taken, seen as an image of --domain.
        style: style file, as this command writes them beside images, and the page and `stargan_tf.sample` too, or .npy
            file with a style code or several; the served model must hold the networks that the style belongs to.
        format: png or jpeg; by default what --output ends in, else png.
        provenance: whether what is written says in its metadata that it is synthetic, and what made it.
    """

    image: str
    output: str
    domain: str | None = None
    seed: int | None = None
    styles: PositiveInt = 1
    psi: Share = 1.0
    reference: str | None = None
    style: str | None = None
    format: Literal["png", "jpeg"] | None = None
    provenance: bool = True


def translate(arguments: Translate) -> None:
    """Translates an image as the arguments say, and writes images and style files.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, a file that exists, or no translation.
    """
    _check_guides(arguments)
    image = _read(arguments.image, "--image")
    names, origins, ask = _guide(arguments)
    paths, image_format = _outputs(arguments, names)
    with connect(arguments) as client:
        translations = ask(client, _sendable(client, image, arguments.image, "--image"), image_format)
        if arguments.provenance:
            translations = [
                _marked(translation, *origin, client.card)
                for translation, origin in zip(translations, origins, strict=True)
            ]
        files = [
            style_file.text(style_file.Style(translation.style, domain, origin), style_file.made_by(client.card))
            for translation, (domain, origin) in zip(translations, origins, strict=True)
            if domain is not None and arguments.style is None
        ]
    for path, translation in zip(paths, translations, strict=True):
        _write(path, translation.image)
        print(f"wrote {path}")
    for path, file in zip(paths, files, strict=False):
        _write(path.with_suffix(_STYLE_SUFFIX), file.encode())
        print(f"wrote {path.with_suffix(_STYLE_SUFFIX)}")


def _check_guides(arguments: Translate) -> None:
    given = [f"--{name}" for name in ("seed", "reference", "style") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are given; a style can be taken from only one of them")
    if arguments.style is not None and arguments.domain is not None:
        raise UserError(f"--domain is {arguments.domain!r}, but the style codes of --style belong to a domain already")
    if arguments.style is None and arguments.domain is None:
        raise UserError("--domain is not given; `domains` lists those that the model knows")
    last = (arguments.seed or 0) + arguments.styles - 1
    if not -(2**63) <= last < 2**63 or (arguments.seed or 0) < -(2**63):
        raise UserError(f"--seed is {arguments.seed}; seeds must be whole numbers of 64 bits")


def _marked(translation: Translation, domain: str | None, origin: Mapping[str, Any], card: dict) -> Translation:
    """Says in the image that it is synthetic; the graph that encoded it cannot."""
    style = provenance.style(domain, origin, translation.style)
    image = provenance.marked(translation.image, provenance.packet_of_served([style], card))
    return replace(translation, image=image)


def _guide(arguments: Translate) -> tuple[list[str], list[Origin], Ask]:
    """Reads what styles are taken from; returns a name and the origin of each, and what asks for the translations."""
    if arguments.style is not None:
        codes, origin = _read_styles(arguments.style)
        names = [f"{Path(arguments.style).stem}_{row}" for row in range(len(codes))]
        origins = [origin] * len(codes)
        return names, origins, lambda client, image, format: client.translate_styles(image, codes, format)
    domain = arguments.domain
    assert domain is not None  # as checked
    if arguments.reference is not None:
        reference = _read(arguments.reference, "--reference")
        names = [f"{domain}_{Path(arguments.reference).stem}"]
        origin = domain, {"reference_sha256": hashlib.sha256(reference).hexdigest()}
        return (
            names,
            [origin],
            lambda client, image, format: client.translate_references(
                image, domain, [_sendable(client, reference, str(arguments.reference), "--reference")], format
            ),
        )
    first = arguments.seed or 0
    seeds, psi = range(first, first + arguments.styles), arguments.psi
    names = [f"{domain}_{seed}" for seed in seeds]
    origins = [(domain, {"seed": seed, "psi": psi}) for seed in seeds]
    return names, origins, lambda client, image, format: client.translate_latent(image, domain, seeds, psi, format)


def _read(path: str, flag: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path!r} ({flag}): {error.strerror}") from None


def _sendable(client: ServedModel, image: bytes, path: str, flag: str) -> bytes:
    """Converts an image where that is needed, already here so that an error names the file."""
    return client.sendable(image, f"{path!r} ({flag})")


def _read_styles(path: str) -> tuple[np.ndarray, Origin]:
    """Reads one style code or several; returns [S, style_dim], and what the file tells of where they are from."""
    if path.lower().endswith(".json"):
        entry = style_file.load(Path(path))
        return np.array([entry["style"]], np.float32), (entry["domain"], entry)
    try:
        codes = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {path!r} (--style): {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{path!r} (--style) is not a .npy file of numbers") from None
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "fiu" or codes.ndim not in (1, 2) or not codes.size:
        raise UserError(f"{path!r} (--style) does not hold a style code or a list of them")
    return np.atleast_2d(codes), (None, {})


def _outputs(arguments: Translate, names: Sequence[str]) -> tuple[list[Path], str]:
    """Decides which files to write, and their format; refuses to replace any."""
    output = Path(arguments.output)
    suffix = output.suffix.lower()
    of_suffix = next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes), None)
    if of_suffix is not None and not output.is_dir():
        if len(names) != 1:
            raise UserError(f"--output {arguments.output!r} is one file, but {len(names)} images are to be written")
        if arguments.format not in (None, of_suffix):
            raise UserError(f"--format is {arguments.format}, but --output {arguments.output!r} is another format")
        paths, image_format = [output], of_suffix
    else:
        image_format = arguments.format or "png"
        stem, suffix = Path(arguments.image).stem, _SUFFIXES[image_format][0]
        # A domain may have any name, also one that no file can have.
        paths = [output / (file_name(f"{stem}_{name}") + suffix) for name in names]
        if output.exists() and not output.is_dir():
            raise UserError(f"--output {arguments.output!r} is a file, but neither a .png nor a .jpg")
    for path in paths:
        for file in (path, path.with_suffix(_STYLE_SUFFIX)):
            if file.exists():
                raise UserError(f"{str(file)!r} exists; choose another --output")
    return paths, image_format


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from None
