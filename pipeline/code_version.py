"""Which code a stage runs: a hash over its modules and the versions of the libraries that decide results."""

import ast
import functools
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("stargan_tf", "data_prep", "pipeline")

# A new version of one of these may give other pixels or weights.
_LIBRARIES = ("tensorflow", "keras", "apache-beam", "tensorflow-datasets", "numpy", "pillow", "opencv-python-headless")

_ROOT = Path(__file__).resolve().parent.parent


def code_version(module: str) -> str:
    """Hashes all code of this project that a module reaches, and the versions of libraries.

    Args:
        module: name of a module of this project, "pipeline.components.trainer" for instance.

    Returns:
        16 hexadecimal digits; they stay the same when code changes that the module does not import, not even lazily.
    """
    whole = hashlib.sha256()
    for library in _LIBRARIES:
        whole.update(f"{library}=={importlib.metadata.version(library)}\n".encode())
    for path in sorted(_reached(_file_of(module))):
        whole.update(f"{path.relative_to(_ROOT).as_posix()}\n".encode() + path.read_bytes())
        for data in sorted(path.parent.glob("templates/*")):
            whole.update(data.read_bytes())
    return whole.hexdigest()[:16]


def _reached(start: Path) -> set[Path]:
    """Follows imports, those inside functions included."""
    found, pending = set(), [start]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += _imported_files(path)
    return found


@functools.cache
def _imported_files(path: Path) -> tuple[Path, ...]:
    names = _imported_names(ast.parse(path.read_text(encoding="utf-8")))
    files = (_file_of(name) for name in names if name.partition(".")[0] in PACKAGES)
    # Importing a module runs the __init__.py of every package above it.
    packages = (folder / "__init__.py" for folder in path.relative_to(_ROOT).parents if folder.parts)
    return (*(file for file in files if file is not None), *(_ROOT / package for package in packages))


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # Which may be modules, too.


def _file_of(module: str) -> Path | None:
    """The file of a module; None if the name is that of something in a module."""
    path = _ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
