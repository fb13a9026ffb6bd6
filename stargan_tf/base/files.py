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
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from stargan_tf.base import writing
from stargan_tf.base.errors import UserError
from stargan_tf.base.stores import ask, client_for

_PARTIAL, _ID_LETTERS = ".partial-", 32  # of names of files that are not complete
_PIECE = 1 << 16  # bytes that are read at a time
_BLOCK = 1 << 23  # bytes that a client may read ahead; by default some take 50 MB for each open file
# Stores in which a file appears in one step, when its last byte is there.
_SHOW_NO_HALF = ("memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "hf")


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
    return ask(path, lambda client: client.isdir(path))


def exists(path: str) -> bool:
    """Returns whether a file or a folder is there; a local link that leads nowhere is, too."""
    if not is_remote(path):
        return os.path.lexists(path)
    return ask(path, lambda client: client.exists(path))


def size(path: str) -> int:
    """Returns the number of bytes of a file."""
    if not is_remote(path):
        return Path(path).stat().st_size
    return ask(path, lambda client: client.size(path))


def sizes(folder: str) -> dict[str, int]:
    """Returns the numbers of bytes of the files that lie in a folder itself, by name; of a store, by one listing."""
    if not is_remote(folder):
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    found = ask(folder, lambda client: client.ls(folder, detail=True))
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
        return sorted(ask(pattern, lambda client: [client.unstrip_protocol(path) for path in client.glob(pattern)]))
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
    def entries(client: Any) -> list[tuple[str, str]]:
        this = client._strip_protocol(folder).rstrip("/")
        # Some programs make objects that stand for folders; their listing names them themselves.
        return [
            (name_of(entry["name"]), "folder" if entry["type"] == "directory" else "file")
            for entry in client.ls(folder, detail=True)
            if entry["name"].rstrip("/") != this
        ]

    try:
        return ask(folder, entries)
    except FileNotFoundError:
        return []


def remote_states(place: str) -> dict[str, str]:
    """Returns what tells other contents apart without reading them.

    Args:
        place: a folder or a file of a store.

    Returns:
        By the path of each file, a hash of what the store says of it: size, time of change, its own checksum.
    """
    found = ask(place, lambda client: client.find(place, detail=True))
    return {path: _state(known) for path, known in found.items()}


def _state(known: dict[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest()


class Known(NamedTuple):
    """What a store says of a file.

    Attributes:
        size: in bytes.
        state: differs where the content does, see `remote_states`.
    """

    size: int
    state: str


def find(folder: str) -> dict[str, Known]:
    """Returns what a store knows of all files below a folder, by their paths relative to it; none if it is missing.

    Files whose names begin with a dot are left out, as `list_files` does.
    """

    def found(client: Any) -> dict[str, Known]:
        root = client._strip_protocol(folder).rstrip("/")
        entries = {
            path.removeprefix(root).lstrip("/"): known for path, known in client.find(folder, detail=True).items()
        }
        return {name: Known(known["size"], _state(known)) for name, known in entries.items()}

    try:
        everything = ask(folder, found)
    except FileNotFoundError:
        return {}
    return {
        name: known for name, known in everything.items() if not any(part.startswith(".") for part in name.split("/"))
    }


def fetch(path: str, local: Path) -> None:
    """Copies a file of a store to a local one, which has its name only when it is whole; folders are made."""
    local.parent.mkdir(parents=True, exist_ok=True)
    temporary = local.with_name(f".{local.name}{_PARTIAL}{uuid.uuid4().hex}")
    try:
        ask(path, lambda client: client.get_file(path, str(temporary)))
        temporary.replace(local)
    finally:
        temporary.unlink(missing_ok=True)


def deliver(local: Path, path: str) -> None:
    """Copies a local file to a store, which shows it only when it is whole."""
    if path.partition("://")[0] in _SHOW_NO_HALF:
        ask(path, lambda client: client.put_file(str(local), path))
        return
    partial = f"{path}{_PARTIAL}{uuid.uuid4().hex}"

    def put(client: Any) -> None:
        client.makedirs(folder_of(path), exist_ok=True)
        client.put_file(str(local), partial)

    ask(path, put)
    rename(partial, path)


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
    return ask(path, lambda client: client.open(path, "rb", block_size=_BLOCK))


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
    if is_remote(path):
        content = ask(path, lambda client: _read_remote(client, path, max_bytes))
    else:
        content = _read_all(open_file(path), max_bytes)
    if content is None:
        raise TooLarge(f"more than {max_bytes:,} bytes")
    return content


def _read_remote(client: Any, path: str, max_bytes: int | None) -> bytes | None:
    """Reads a file by one request, where opening it would ask for its size first."""
    if max_bytes is None:
        return client.cat_file(path)
    try:
        content = client.cat_file(path, start=0, end=max_bytes + 1)
    except Exception as error:
        if isinstance(error, FileNotFoundError | PermissionError) or client.size(path):
            raise
        return b""  # of which there is no byte to ask for
    return content if len(content) <= max_bytes else None


def _read_all(opened: BinaryIO, max_bytes: int | None) -> bytes | None:
    """Reads an open file to its end and closes it; returns None if it has more than `max_bytes`."""
    pieces, count = [], 0
    with opened as file:
        # In pieces, since a file that is asked for `max_bytes` may make room for as many before it reads any.
        while piece := file.read(_PIECE):
            pieces.append(piece)
            count += len(piece)
            if max_bytes is not None and count > max_bytes:
                return None
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
        return memoryview(ask(path, lambda client: client.cat_file(path, start=offset, end=offset + count)))
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
    Folders are made, and a file that is there is replaced. One of a store is a temporary file of this machine until
    then: in the middle of an upload nothing could be tried again.

    Args:
        path: the file.

    Yields:
        The open file.
    """
    if is_remote(path):
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "file"
            with local.open("wb") as file:
                yield file
            deliver(local, path)
        return
    partial = f"{path}{_PARTIAL}{uuid.uuid4().hex}"
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(partial).open("wb") as file:
            yield file
        rename(partial, path)
    except BaseException:
        with contextlib.suppress(OSError, UserError):
            delete([partial])
        raise


def is_partial(path: str) -> bool:
    """Returns whether a path is one that `create` gives to a file that is not complete."""
    return len(path.rpartition(_PARTIAL)[2]) == _ID_LETTERS and _PARTIAL in path


def write(path: str, data: bytes) -> None:
    """Writes a file whole or not at all; folders are made, and a file that is there is replaced."""
    if is_remote(path):
        ask(path, lambda client: client.pipe_file(path, data))  # of which a store shows no half
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
        ask(paths[0], lambda client: client.rm(paths))  # in one request where the store can
    else:
        for path in paths:
            Path(path).unlink()


def delete_folder(folder: str) -> None:
    """Deletes a folder and everything in it; a remote one may be missing."""
    if is_remote(folder):
        with contextlib.suppress(FileNotFoundError):
            ask(folder, lambda client: client.rm(folder, recursive=True))
    else:
        shutil.rmtree(folder)
