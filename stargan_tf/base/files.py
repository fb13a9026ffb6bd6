"""Reads files of any file system that TensorFlow or fsspec knows: local paths, gs://, s3://, hdfs://.

Local files go past both, which is many times faster, and needs neither: a mistyped path is told at once. Paths are
text, since a `Path` would spoil "gs://". The Beam job writes by Beam's file systems, see `data_prep.files`.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stargan_tf.base.errors import UserError


def is_remote(path: str) -> bool:
    """Returns whether a path names its file system, as in `gs://bucket/folder`."""
    return "://" in path


def join(folder: str, name: str) -> str:
    """Returns the path of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(folder) else str(Path(folder) / name)


def name_of(path: str) -> str:
    """Returns the last part of a path."""
    return path.rpartition("/")[2]


def is_folder(path: str) -> bool:
    """Returns whether a folder is there; in a store without folders, whether a file's path begins with this one.

    Raises:
        UserError: nothing here can read that file system.
        OSError: it does not answer.
    """
    if not is_remote(path):
        return Path(path).is_dir()
    with _system(path) as (gfile, other):
        return gfile.isdir(path) if gfile else other.isdir(path)


def list_names(folder: str) -> list[str]:
    """Returns the names of what is in a remote folder; raises as `is_folder` does."""
    with _system(folder) as (gfile, other):
        if gfile:
            return [name.rstrip("/") for name in gfile.listdir(folder)]
        return [name_of(name.rstrip("/")) for name in other.ls(folder, detail=False)]


def is_file(path: str) -> bool:
    """Returns whether a file is there; raises as `is_folder` does."""
    if not is_remote(path):
        return Path(path).is_file()
    with _system(path) as (gfile, other):
        return gfile.exists(path) and not gfile.isdir(path) if gfile else other.isfile(path)


def size(path: str) -> int:
    """Returns the number of bytes of a file; raises as `open_file` does."""
    if not is_remote(path):
        return Path(path).stat().st_size
    with _system(path) as (gfile, other):
        return gfile.stat(path).length if gfile else other.size(path)


@contextlib.contextmanager
def open_file(path: str, buffered: bool = True) -> Iterator[BinaryIO]:
    """Opens a file for reading.

    Args:
        path: the file.
        buffered: whether a local file is read ahead; for a few bytes here and there that is a waste.

    Yields:
        The open file; it can seek.

    Raises:
        UserError: nothing here can read that file system.
        OSError: the file is not there, or cannot be read.
    """
    if not is_remote(path):
        with Path(path).open("rb", buffering=-1 if buffered else 0) as file:
            yield file
        return
    with _system(path) as (gfile, other), gfile.GFile(path, "rb") if gfile else other.open(path, "rb") as file:
        yield file


def read(path: str) -> bytes:
    """Returns the content of a file; raises as `open_file` does."""
    with open_file(path) as file:
        return file.read()


def read_range(path: str, offset: int, count: int, memory: memoryview) -> memoryview:
    """Reads some bytes of a file.

    Args:
        path: the file.
        offset: where they begin.
        count: how many.
        memory: at least as many bytes, in which they may be put.

    Returns:
        A read-only view of them, which holds as long as `memory` is not used again; fewer if the file ends before.

    Raises:
        UserError: nothing here can read that file system.
        OSError: the file is not there, or cannot be read.
    """
    if is_remote(path):
        with open_file(path) as file:
            file.seek(offset)
            return memoryview(file.read(count))
    # Opening costs 10 microseconds, and no number of files can then exceed what the system allows to be open.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        got = os.preadv(file, [memory[:count]], offset)
    finally:
        os.close(file)
    return memory[:got].toreadonly()


@contextlib.contextmanager
def _system(path: str) -> Iterator[tuple]:
    """Yields what reads a remote path: TensorFlow's `gfile` and None, or None and one of fsspec's file systems."""
    import tensorflow as tf

    scheme = path.partition("://")[0]
    if scheme in tf.io.gfile.get_registered_schemes():
        try:
            yield tf.io.gfile, None
        except tf.errors.OpError as error:
            raise OSError(error.message or type(error).__name__) from error
        return
    import fsspec

    try:
        system, _ = fsspec.url_to_fs(path)
    except (ImportError, ValueError) as error:  # a package for it is missing; or there is no such protocol
        known = ", ".join(f"{name}://" for name in sorted(tf.io.gfile.get_registered_schemes()) if name)
        raise UserError(
            f"nothing here can read {path} ({error}); TensorFlow knows {known}, and fsspec what its packages "
            "(s3fs, adlfs ...) add"
        ) from error
    yield None, system
