"""Artifacts as local directories, wherever they are stored, because stages work on local directories only.

On one machine an artifact is a local directory already. On Kubeflow it has an address like gs://bucket/...; then inputs
of a stage are fetched first, and its outputs are delivered when they are complete.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stargan_tf.base import files


@contextlib.contextmanager
def fetched(address: str) -> Iterator[str]:
    """Provides a local directory with the content of an artifact.

    Args:
        address: of the artifact, on any file system that fsspec knows.

    Yields:
        The directory; a copy is removed afterwards.
    """
    if not files.is_remote(address):
        yield address
        return
    with tempfile.TemporaryDirectory() as directory:
        for name in files.list_files(address):
            path = Path(directory) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files.read(files.join(address, name)))
        yield directory


@contextlib.contextmanager
def delivered(address: str) -> Iterator[str]:
    """Provides a local directory whose content becomes that of an artifact when the block ends without an exception.

    Args:
        address: of the artifact, on any file system that fsspec knows.

    Yields:
        The directory, empty or not yet there.
    """
    if not files.is_remote(address):
        yield address
        return
    with tempfile.TemporaryDirectory() as directory:
        yield directory
        for path in sorted(path for path in Path(directory).rglob("*") if path.is_file()):
            files.write(files.join(address, path.relative_to(directory).as_posix()), path.read_bytes())
