"""Tells models apart by content."""

import hashlib
from collections.abc import Collection
from pathlib import Path


def fingerprint(directory: Path, without: Collection[str] = ()) -> str:
    """Hashes the names and contents of all files of a model.

    Args:
        directory: a SavedModel, as stargan_tf.export writes it.
        without: names of files directly in it that do not count.

    Returns:
        A SHA-256 hash, 64 hexadecimal digits; wherever the directory lies, the same files give the same.
    """
    whole = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        name = path.relative_to(directory).as_posix()
        if name not in without:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{content}  {name}\n".encode())
    return whole.hexdigest()
