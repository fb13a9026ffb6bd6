"""ONNX Runtime Web, the npm package whose files lie in every exported page."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.base.errors import UserError

PACKAGE = "onnxruntime-web"
# What the page is tested with; patches may differ.
VERSION = "1.30"
INSTALL = f"npm install --ignore-scripts --prefix DIR {PACKAGE}@{VERSION}"


@dataclass(frozen=True)
class Files:
    """The files of one way to compute, in the package's folder `dist`.

    Args:
        script: the module that the page imports.
        glue: the module that the script imports.
        binary: what both run.
    """

    script: str
    glue: str
    binary: str


# By what the runtime calls the ways to compute.
FILES = {
    "wasm": Files("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": Files(
        "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm"
    ),
}


def find(directory: str | None) -> Path:
    """Finds the installed package.

    Args:
        directory: what `--runtime` names: the package, or the directory where npm installed it.

    Returns:
        The package's folder `dist`.

    Raises:
        UserError: no directory is given, it holds no such package, or another version.
    """
    how = f"`{INSTALL}` gets it"
    if directory is None:
        raise UserError(
            f"the page needs the npm package {PACKAGE} {VERSION}, from a directory that --runtime names; {how}"
        )
    for package in (Path(directory), Path(directory, "node_modules", PACKAGE), Path(directory, PACKAGE)):
        try:
            facts = json.loads((package / "package.json").read_text())
        except (OSError, ValueError):
            continue
        if not isinstance(facts, dict) or facts.get("name") != PACKAGE:
            continue
        version = str(facts.get("version"))
        if not version.startswith(f"{VERSION}."):
            raise UserError(f"--runtime {directory!r} holds {PACKAGE} {version}; the page needs {VERSION}, and {how}")
        missing = [name for name in _names() if not (package / "dist" / name).is_file()]
        if missing:
            raise UserError(f"--runtime {directory!r} lacks {', '.join(missing)} of {PACKAGE} {version}; {how} whole")
        return package / "dist"
    raise UserError(f"--runtime {directory!r} does not hold the npm package {PACKAGE}; {how}")


def copy(dist: Path, directory: Path) -> None:
    """Copies what the page loads into a new directory."""
    directory.mkdir()
    for name in _names():
        shutil.copyfile(dist / name, directory / name)


def _names() -> list[str]:
    return [name for files in FILES.values() for name in (files.script, files.glue, files.binary)]
