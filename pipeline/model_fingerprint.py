"""Identifies models by content."""

import hashlib
from collections.abc import Collection
from pathlib import Path


def fingerprint(directory: Path, without: Collection[str] = ()) -> str:
    """Hashes the names and contents of all files of a model.

    Args:
        directory: a SavedModel, as stargan_tf.export writes it.
        without: names of files directly in the directory that are ignored.

    Returns:
        A SHA-256 hash, 64 hexadecimal digits, that does not depend on where the directory is.
    """
    whole = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = path.relative_to(directory).as_posix()
        if name not in without:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{content}  {name}\n".encode())
    return whole.hexdigest()
