"""Client of a model served by TF Serving: `python -m stargan_tf.serving.client --server HOST:PORT translate ...`.

From Python:

    with GrpcClient("localhost:8500") as client:
        cats = client.translate_latent(photo, "cat", seeds=range(8))
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import UnreadableImage
from stargan_tf.inference import style_file
from stargan_tf.serving import sendable_images
from stargan_tf.serving.grpc_client import GrpcClient
from stargan_tf.serving.remote_model import Client
from stargan_tf.serving.rest_client import RestClient
from stargan_tf.serving.served_model import Translation

__all__ = ["Client", "GrpcClient", "RestClient"]

PROGRAM = "python -m stargan_tf.serving.client"
DESCRIPTION = (
    "Asks a model that TF Serving serves. Actions: translate (an image into another domain), domains (what the model "
    "is and knows), status (which versions are served)."
)

_SUFFIXES = {"png": (".png",), "jpeg": (".jpg", ".jpeg")}


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the model is.

    Args:
        server: host and port of TF Serving, like localhost:8500.
        protocol: grpc (port 8500 as a rule) or rest (8501).
        model: name of the model.
        version: version to ask; by default the newest.
        label: label of the version to ask, like stable.
        timeout: seconds that a call may take, all tries together.
        retries: further tries when the server is unavailable.
        max_message_mb: largest request and answer, in MiB.
    """

    server: str
    protocol: Literal["grpc", "rest"] = "grpc"
    model: str = "stargan"
    version: int | None = None
    label: str | None = None
    timeout: float = 30.0
    retries: int = 3
    max_message_mb: int = 64


@dataclass(frozen=True, kw_only=True)
class Translate(Connection):
    """What to translate, and where to.

    Args:
        image: file to translate; JPEG, PNG, WebP, AVIF, BMP, GIF or TIFF.
        output: directory to write into, or with one style also the file to write (.png, .jpg).
        domain: name of the target domain; only --style does without.
        seed: of the first style drawn, the next have the seeds that follow; 0 if no style is given in another way.
        styles: number of styles drawn.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        reference: image file whose style is taken, seen as an image of --domain.
        style: .npy file with a style code or several, as this command writes them beside the images, or a style file of
            `stargan_tf.sample`; the served model must be made of the networks that the style belongs to.
        format: png or jpeg; by default what --output ends in, else png.
    """

    image: str
    output: str
    domain: str | None = None
    seed: int | None = None
    styles: int = 1
    psi: float = 1.0
    reference: str | None = None
    style: str | None = None
    format: Literal["png", "jpeg"] | None = None


def connect(arguments: Connection) -> Client:
    """Makes the client that the arguments ask for."""
    client = {"grpc": GrpcClient, "rest": RestClient}[arguments.protocol]
    for name in ("timeout", "max_message_mb"):
        if getattr(arguments, name) <= 0:
            raise UserError(f"--{name} is {getattr(arguments, name)}; it must be more than 0")
    if arguments.retries < 0:
        raise UserError(f"--retries is {arguments.retries}; it must be at least 0")
    names = ("server", "model", "version", "label", "timeout", "retries", "max_message_mb")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it is told in one sentence what went wrong
    with command_line.quiet_start():
        return client(**{name: getattr(arguments, name) for name in names})


def translate(arguments: Translate) -> None:
    """Translates an image as the arguments say, and writes images and style codes.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, a file that exists, or no translation.
    """
    _check_guides(arguments)
    image = _read(arguments.image, "--image")
    reference = None if arguments.reference is None else _read(arguments.reference, "--reference")
    codes = None if arguments.style is None else _read_styles(arguments.style)
    first = arguments.seed or 0
    seeds = range(first, first + arguments.styles)
    if codes is not None:
        names = [f"{Path(arguments.style).stem}_{row}" for row in range(len(codes))]
    elif reference is not None:
        names = [f"{arguments.domain}_{Path(arguments.reference).stem}"]
    else:
        names = [f"{arguments.domain}_{seed}" for seed in seeds]
    paths, image_format = _outputs(arguments, names)
    with connect(arguments) as client:
        if codes is not None:
            translations = client.translate_styles(image, codes, image_format)
        elif reference is not None:
            translations = client.translate_references(image, arguments.domain, [reference], image_format)
        else:
            translations = client.translate_latent(image, arguments.domain, seeds, arguments.psi, image_format)
    for path, translation in zip(paths, translations, strict=True):
        _write(path, translation)
        print(f"wrote {path} and {path.with_suffix('.npy').name}")


def show_domains(arguments: Connection) -> None:
    """Prints the domains and the main facts of the model card."""
    with connect(arguments) as client:
        card = client.card
    for name, value in card.items():
        if isinstance(value, list) and not any(isinstance(entry, dict) for entry in value):
            print(f"{name}: {', '.join(map(str, value))}")
        elif isinstance(value, str | int | float):
            print(f"{name}: {value}")


def show_status(arguments: Connection) -> None:
    """Prints the versions that are served, with their states."""
    with connect(arguments) as client:
        for version, state in sorted(client.status().items()):
            print(f"version {version}: {state}")


ACTIONS: dict[str, tuple[type, Callable[[Any], None]]] = {
    "translate": (Translate, translate),
    "domains": (Connection, show_domains),
    "status": (Connection, show_status),
}


def _check_guides(arguments: Translate) -> None:
    given = [f"--{name}" for name in ("seed", "reference", "style") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are given; a style can be taken from only one of them")
    if arguments.style is None and arguments.domain is None:
        raise UserError("--domain is not given; `domains` lists those that the model knows")
    if arguments.style is not None and arguments.domain is not None:
        raise UserError(f"--domain is {arguments.domain!r}, but the style codes of --style belong to a domain already")
    if arguments.styles < 1:
        raise UserError(f"--styles is {arguments.styles}; it must be at least 1")
    last = (arguments.seed or 0) + arguments.styles - 1
    if not -(2**63) <= last < 2**63 or (arguments.seed or 0) < -(2**63):
        raise UserError(f"--seed is {arguments.seed}; seeds must be whole numbers of 64 bits")


def _read(path: str, flag: str) -> bytes:
    """Reads an image, converted already here so that an error names the file."""
    try:
        data = Path(path).read_bytes()
        return data if sendable_images.is_sendable(data) else sendable_images.as_png(data)
    except OSError as error:
        raise UserError(f"cannot read {path!r} ({flag}): {error.strerror}") from None
    except UnreadableImage as error:
        raise UserError(f"cannot read {path!r} ({flag}): {error}") from None


def _read_styles(path: str) -> np.ndarray:
    """Reads one style code or several; returns [S, style_dim]."""
    if path.lower().endswith(".json"):
        return np.array([style_file.load(Path(path))["style"]], np.float32)
    try:
        codes = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {path!r} (--style): {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{path!r} (--style) is not a .npy file of numbers") from None
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "fiu" or codes.ndim not in (1, 2) or not codes.size:
        raise UserError(f"{path!r} (--style) does not hold a style code or a list of them")
    return np.atleast_2d(codes)


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
        # A domain may have any name, but only one that is a file's name can become part of one.
        stem = Path(arguments.image).stem
        files = [f"{stem}_{name}".replace("/", "_") + _SUFFIXES[image_format][0] for name in names]
        paths = [output / file for file in files]
        if output.exists() and not output.is_dir():
            raise UserError(f"--output {arguments.output!r} is a file, but neither a .png nor a .jpg")
    for path in paths:
        for file in (path, path.with_suffix(".npy")):
            if file.exists():
                raise UserError(f"{str(file)!r} exists; choose another --output")
    return paths, image_format


def _write(path: Path, translation: Translation) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(translation.image)
        with path.with_suffix(".npy").open("xb") as file:
            np.save(file, translation.style)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from None


def _action(argv: Sequence[str]) -> int | None:
    """Finds the action: the first word that is neither a flag nor the value of one."""
    value_follows = False
    for index, word in enumerate(argv):
        if not value_follows and not word.startswith("-"):
            return index
        takes_value = "=" not in word and word not in ("-h", "--help", "--print_config", "--print-config")
        value_follows = not value_follows and takes_value
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    index = _action(argv)
    action = None if index is None else argv.pop(index)
    if action in ACTIONS:
        arguments_type, run = ACTIONS[action]
        return command_line.main(arguments_type, run, f"{PROGRAM} {action}", run.__doc__.partition("\n")[0], argv)

    def refuse(arguments: Connection) -> None:
        named = "no action is named" if action is None else f"the action is {action!r}"
        raise UserError(f"{named}; it must be one of {', '.join(ACTIONS)}")

    # Of flags that belong to an action nothing can be said as long as there is none.
    help_or_nothing = [word for word in argv if word in ("--help", "-h")]
    return command_line.main(Connection, refuse, PROGRAM, DESCRIPTION, help_or_nothing or ["--server", "localhost"])


if __name__ == "__main__":
    sys.exit(main())
