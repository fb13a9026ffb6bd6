"""Files that are whole or not there, whenever the process is killed."""

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError


def write_json(path: Path, value: Any) -> None:
    """Writes JSON.

    Raises:
        UserError: it cannot be written.
    """
    with _written(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name.

    Raises:
        UserError: they cannot be written.
    """
    with _written(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Reads arrays by name; returns None where there is no such file, or a damaged one, which is as good as none."""
    try:
        with np.load(path) as arrays:  # refuses pickled objects
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Gives a name to write to, which becomes `path` when that is done."""
    # With the process's number, since another one may be writing the same.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UserError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error
