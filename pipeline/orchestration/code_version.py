"""Which code a stage runs: a hash of its modules and of the versions of the libraries that affect its results."""

import ast
import functools
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("stargan_tf", "data_prep", "pipeline")

# A new version of one of these may produce other pixels or weights.
_LIBRARIES = ("tensorflow", "keras", "apache-beam", "tensorflow-datasets", "numpy", "pillow", "opencv-python-headless")

_ROOT = Path(__file__).resolve().parents[2]


def code_version(module: str) -> str:
    """Hashes a module, all modules of this project that it imports, their templates, and the versions of libraries.

    Args:
        module: name of a module of this project, like "pipeline.components.trainer".

    Returns:
        16 hexadecimal digits. Code that the module does not import, not even inside functions, does not change them.
    """
    whole = hashlib.sha256()
    for library in _LIBRARIES:
        whole.update(f"{library}=={importlib.metadata.version(library)}\n".encode())
    start = _file_of(module)
    if start is None:
        raise ValueError(f"there is no module {module}")
    for path in sorted(_reached(start)):
        whole.update(f"{path.relative_to(_ROOT).as_posix()}\n".encode() + path.read_bytes())
        for data in sorted(path.parent.glob("templates/*")):
            whole.update(data.read_bytes())
    return whole.hexdigest()[:16]


def _reached(start: Path) -> set[Path]:
    """Follows imports within this project, those inside functions included.

    The standard library's modulefinder would follow them through TensorFlow and all other libraries too.
    """
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
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # they may be modules


def _file_of(module: str) -> Path | None:
    """The file of a module; None if the name is not that of a module, but of something in one."""
    path = _ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
