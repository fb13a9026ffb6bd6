"""Reads and writes by path on any file system that fsspec knows: local paths, gs://, s3://, abfs://, hdfs://, hf://.

Local files go past fsspec, through which opening one takes longer than reading a small image. fsspec keeps one client
for each store as long as the process lives. Paths are text, since a `Path` would spoil "gs://".
"""

import contextlib
import glob
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stargan_tf.base import writing
from stargan_tf.base.errors import UserError
from stargan_tf.base.stores import client_for

_PIECE = 1 << 16  # bytes that are read at a time
_BLOCK = 1 << 23  # bytes that a client may read ahead; by default some take 50 MB for each open file


class TooLarge(OSError):
    """A file with more bytes than allowed."""


def is_remote(path: str) -> bool:
    """Returns whether a path names its file system, as in `gs://bucket/folder`."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Joins a folder and names below it."""
    return "/".join([folder.rstrip("/") if folder != "/" else "", *names])


def name_of(path: str) -> str:
    """Returns the last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def folder_of(path: str) -> str:
    """Returns what stands before the last part of a path; "." if nothing does."""
    return path.rstrip("/").rpartition("/")[0] or ("/" if path.startswith("/") else ".")


def is_folder(path: str) -> bool:
    """Returns whether a folder is there; in a store without folders, whether any file's name begins with this one's."""
    if not is_remote(path):
        return os.path.isdir(path)  # noqa: PTH112
    with client_for(path) as client:
        return client.isdir(path)


def exists(path: str) -> bool:
    """Returns whether a file or a folder is there; a local link that leads nowhere is, too."""
    if not is_remote(path):
        return os.path.lexists(path)
    with client_for(path) as client:
        return client.exists(path)


def size(path: str) -> int:
    """Returns the number of bytes of a file."""
    if not is_remote(path):
        return Path(path).stat().st_size
    with client_for(path) as client:
        return client.size(path)


def sizes(folder: str) -> dict[str, int]:
    """Returns the numbers of bytes of the files that lie in a folder itself, by name; of a store, by one listing."""
    if not is_remote(folder):
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    with client_for(folder) as client:
        found = client.ls(folder, detail=True)
    return {name_of(entry["name"]): entry["size"] for entry in found if entry["type"] == "file"}


def list_files(folder: str, ignored: dict[str, int] | None = None, follow_links: bool = False) -> Iterator[str]:
    """Lists all files below a folder, so that memory does not grow with their number, in stores with that of a folder.

    Args:
        folder: where to look.
        ignored: counts what is left out, by a description: hidden files and folders, and links to folders.
        follow_links: whether links to folders are followed, but for those to a folder that they lie in.

    Yields:
        Paths relative to `folder`, with forward slashes, in no particular order; of a remote folder that is not there,
        none.

    Raises:
        OSError: a local folder is not there, or one cannot be read.
    """
    ignored = {} if ignored is None else ignored

    def count(kind: str) -> None:
        ignored[kind] = ignored.get(kind, 0) + 1

    entries = _remote_entries if is_remote(folder) else _local_entries
    pending = [("", (os.path.realpath(folder),) if follow_links else ())]
    while pending:
        parent, above = pending.pop()  # Where links are followed, the real folders that lead here.
        for name, kind in entries(join(folder, parent) if parent else folder):
            path = f"{parent}/{name}" if parent else name
            if name.startswith("."):
                count("hidden files and folders")
            elif kind == "folder" and not above:
                pending.append((path, above))
            elif kind == "link to a folder" and not follow_links:
                count("links to folders")
            elif kind != "file":
                real = os.path.realpath(join(folder, path))
                if any(f"{parent}/".startswith(f"{real}/") for parent in above):
                    count("links to folders that they lie in")
                else:
                    pending.append((path, (*above, real)))
            else:
                yield path


def match(pattern: str) -> list[str]:
    """Returns the paths of the files that a pattern with `*`, `?` and `[...]` fits, sorted."""
    if is_remote(pattern):
        with client_for(pattern) as client:
            return sorted(client.unstrip_protocol(path) for path in client.glob(pattern))
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207  # absolute ones, too


def list_folders(folder: str) -> list[str]:
    """Returns the sorted names of the folders in one, without hidden ones and links; a remote one may be missing."""
    entries = _remote_entries if is_remote(folder) else _local_entries
    return sorted(name for name, kind in entries(folder) if kind == "folder" and not name.startswith("."))


def _local_entries(folder: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.name, "folder"
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112  # false for a link to itself
                yield entry.name, "link to a folder"
            else:
                yield entry.name, "file"


def _remote_entries(folder: str) -> list[tuple[str, str]]:
    with client_for(folder) as client:
        try:
            found = client.ls(folder, detail=True)
        except FileNotFoundError:
            return []
        this = client._strip_protocol(folder).rstrip("/")
        # Some programs make objects that stand for folders; their listing names them themselves.
        return [
            (name_of(entry["name"]), "folder" if entry["type"] == "directory" else "file")
            for entry in found
            if entry["name"].rstrip("/") != this
        ]


def remote_states(place: str) -> dict[str, str]:
    """Returns what tells other contents apart without reading them.

    Args:
        place: a folder or a file of a store.

    Returns:
        By the path of each file, a hash of what the store says of it: size, time of change, its own checksum.
    """
    with client_for(place) as client:
        found = client.find(place, detail=True)
    return {path: hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest() for path, known in found.items()}


def open_file(path: str, buffered: bool = True) -> BinaryIO:
    """Opens a file for reading, as it is, compressed or not.

    Args:
        path: the file.
        buffered: whether a local file is read ahead; for a few bytes here and there that is a waste.

    Returns:
        The open file; it can seek.

    Raises:
        UserError: there is no such file system, or what reads it is not installed.
        OSError: the file is not there, or not an ordinary one: opening a pipe would wait forever.
    """
    if not is_remote(path):
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise OSError("not an ordinary file")
        return open(path, "rb", buffering=-1 if buffered else 0)  # type: ignore[return-value]  # noqa: PTH123
    with client_for(path) as client:
        return client.open(path, "rb", block_size=_BLOCK)


def read(path: str, max_bytes: int | None = None) -> bytes:
    """Reads a whole file.

    Args:
        path: the file.
        max_bytes: the most that is read.

    Returns:
        Its content.

    Raises:
        TooLarge: it has more than `max_bytes`.
        UserError, OSError: as `open_file`.
    """
    pieces, count = [], 0
    # A store's client may fail at every piece.
    with client_for(path) if is_remote(path) else contextlib.nullcontext(), open_file(path) as file:
        # In pieces, since a file that is asked for `max_bytes` may make room for as many before it reads any.
        while piece := file.read(_PIECE):
            pieces.append(piece)
            count += len(piece)
            if max_bytes is not None and count > max_bytes:
                raise TooLarge(f"more than {max_bytes:,} bytes")
    return b"".join(pieces)


def read_range(path: str, offset: int, count: int, memory: memoryview) -> memoryview:
    """Reads some bytes of a file.

    Args:
        path: the file.
        offset: where they begin.
        count: how many.
        memory: at least as many bytes, in which they may be put.

    Returns:
        A read-only view of them, valid until `memory` is used again; fewer if the file ends before.

    Raises:
        UserError, OSError: as `open_file`.
    """
    if is_remote(path):
        with client_for(path) as client:
            return memoryview(client.cat_file(path, start=offset, end=offset + count))
    # Opening costs 10 microseconds, and no number of files can then exceed what the system allows to be open.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        got = os.preadv(file, [memory[:count]], offset)
    finally:
        os.close(file)
    return memory[:got].toreadonly()


@contextlib.contextmanager
def create(path: str) -> Iterator[BinaryIO]:
    """Opens a file for writing, piece by piece; it gets its name when the block ends without an exception.

    Runners may do a piece of work twice at the same time: each then writes a file of its own, and the last one stays.
    Folders are made, and a file that is there is replaced.

    Args:
        path: the file.

    Yields:
        The open file.
    """
    partial = f"{path}.partial-{uuid.uuid4().hex}"
    try:
        with _open_new(partial) as file:
            yield file
        rename(partial, path)
    except BaseException:
        with contextlib.suppress(OSError, UserError):
            delete([partial])
        raise


def _open_new(path: str) -> BinaryIO:
    if is_remote(path):
        with client_for(path) as client:
            return client.open(path, "wb")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path).open("wb")


def write(path: str, data: bytes) -> None:
    """Writes a file whole or not at all; folders are made, and a file that is there is replaced."""
    if is_remote(path):
        with client_for(path) as client:
            client.pipe_file(path, data)  # of which a store shows no half
    else:
        writing.write_bytes(Path(path), data)


def rename(source: str, destination: str) -> None:
    """Gives a file another name; a file that has it is replaced. Stores copy and delete."""
    if is_remote(source):
        from fsspec import AbstractFileSystem

        with client_for(source) as client:
            if type(client).mv is AbstractFileSystem.mv:  # which asks what there is first, more often than it acts
                client.cp_file(source, destination)
                client.rm_file(source)
            else:
                client.mv(source, destination)
    else:
        Path(source).replace(destination)


def delete(paths: list[str]) -> None:
    """Deletes files, all local or all of one store."""
    if paths and is_remote(paths[0]):
        with client_for(paths[0]) as client:
            client.rm(paths)  # in one request where the store can
    else:
        for path in paths:
            Path(path).unlink()


def delete_folder(folder: str) -> None:
    """Deletes a folder and everything in it; a remote one may be missing."""
    if is_remote(folder):
        with client_for(folder) as client, contextlib.suppress(FileNotFoundError):
            client.rm(folder, recursive=True)
    else:
        shutil.rmtree(folder)
