"""Arrays in a file that is whole or not there."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stargan_tf.errors import UserError


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name; under the final name the file is complete.

    Raises:
        UserError: it cannot be written.
    """
    # With the process's number, since another one may be writing the same.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(temporary, **arrays)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"{str(path)!r} cannot be written ({error.strerror or error}); what was there is left"
        ) from error


def read(path: Path) -> dict[str, np.ndarray] | None:
    """Reads arrays by name; returns None where there is no such file, or a damaged one, which is as good as none."""
    try:
        with np.load(path) as arrays:  # refuses pickled objects
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
