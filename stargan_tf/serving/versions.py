"""The versions of a model on disk: in which formats they are, and which number the next one has."""

import json
from collections.abc import Mapping
from pathlib import Path

from stargan_tf.base.errors import UserError
from stargan_tf.serving.deployment import DIRECTORY
from stargan_tf.serving.model_card import CARD_FILE

PORTABLE_FUNCTIONS = ("translate_style", "encode_style", "map_latent")

# The files of each format, all of which a version in it has.
FILES: Mapping[str, tuple[str, ...]] = {
    "saved_model": ("saved_model.pb",),
    "onnx": tuple(f"{name}.onnx" for name in PORTABLE_FUNCTIONS),
    "litert": tuple(f"{name}.tflite" for name in PORTABLE_FUNCTIONS),
    "web": ("index.html", "model.json"),
}
# Those that go beside each other.
_TOGETHER = {"onnx", "litert"}


def formats(version: Path) -> set[str]:
    """Tells in which formats a version is there."""
    return {name for name, files in FILES.items() if all((version / file).is_file() for file in files)}


def check(model: Path, format: str, number: int | None) -> None:
    """Finds out before any work that a version cannot be written.

    Args:
        model: the model's directory, which need not be there.
        format: one of `FILES`.
        number: the version's, if the user gave one.

    Raises:
        UserError: the number is taken, or the directory holds what does not go together with the format: a server
            that is told nothing else serves the highest number, and can load a SavedModel only.
    """
    versions = _versions(model)
    if number is not None and number in versions:
        found = versions[number]
        if {format, *found} != _TOGETHER or format in found:
            raise UserError(f"--version {number}: {str(model / str(number))!r} exists; versions are never written over")
    served = (model / DIRECTORY).is_dir() or any("saved_model" in found for found in versions.values())
    if format != "saved_model" and served:
        raise UserError(
            f"--output {str(model)!r} is served: a server may take a version in {format} for its newest, and cannot "
            "load it; choose another directory for other formats than a SavedModel"
        )
    if format == "saved_model" and not served and any(versions.values()):
        raise UserError(
            f"--output {str(model)!r} holds versions in other formats, which a server may take for its own and cannot "
            "load; choose another directory for a SavedModel"
        )


def choose(model: Path, format: str, number: int | None, networks: str) -> int:
    """Chooses the number of a version that `check` let pass.

    Args:
        model: the model's directory.
        format: one of `FILES`.
        number: the version's, if the user gave one.
        networks: fingerprint of the networks.

    Returns:
        The number given; else for ONNX that of the same networks in LiteRT, or the other way round, if they are there;
        else one more than the highest.

    Raises:
        UserError: the number is that of other networks.
    """
    versions = _versions(model)
    same = [
        version
        for version, found in versions.items()
        if {format, *found} == _TOGETHER and format not in found and _networks(model / str(version)) == networks
    ]
    if number is None:
        return max(same) if same else max(versions, default=0) + 1
    if number in versions and number not in same:
        raise UserError(
            f"--version {number}: {str(model / str(number))!r} holds other networks "
            f"({_networks(model / str(number)) or 'of an earlier version of this package'}, not {networks}); these "
            "need another number"
        )
    return number


def _versions(model: Path) -> dict[int, set[str]]:
    """Returns the formats of every version."""
    children = model.iterdir() if model.is_dir() else ()
    return {int(child.name): formats(child) for child in children if child.name.isdigit() and child.is_dir()}


def _networks(version: Path) -> str | None:
    """Returns the fingerprint that a version's card has."""
    try:
        return json.loads((version / CARD_FILE).read_text()).get("networks")
    except (OSError, ValueError):
        return None
