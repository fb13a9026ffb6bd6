"""Files on any file system that Beam knows: local paths, gs://, s3://, hdfs:// and those of plugins.

Beam is imported only when a file is opened or a remote place is looked at: that takes seconds, and a mistyped local
path should be told at once.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from typing import BinaryIO

_PIECE = 1 << 16  # Bytes that are read at a time.


class TooLarge(OSError):
    """A file with more bytes than allowed."""


def is_remote(path: str) -> bool:
    """Whether a path names its file system, as in `gs://bucket/folder`."""
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
    """Whether a folder is there; in a store without folders, whether the name of any file begins with this one's."""
    if not is_remote(path):
        return os.path.isdir(path)  # noqa: PTH112  # Paths are text here, since a Path would spoil "gs://".
    return next(iter(list_files(path)), None) is not None


def exists(path: str) -> bool:
    """Whether a file or a local folder is there."""
    if not is_remote(path):
        return os.path.lexists(path)
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.exists(path)


def list_files(folder: str, ignored: dict[str, int] | None = None) -> Iterator[str]:
    """Lists all files below a folder, one at a time, so that memory does not grow with their number.

    Args:
        folder: where to look.
        ignored: counts what is left out, by a description: hidden files and folders, and links to folders, which are
            not followed, since they may lead in a circle.

    Yields:
        Paths relative to `folder`, with forward slashes, in no particular order.
    """
    ignored = {} if ignored is None else ignored

    def count(kind: str) -> None:
        ignored[kind] = ignored.get(kind, 0) + 1

    if is_remote(folder):
        from apache_beam.io.filesystems import FileSystems

        prefix = folder.rstrip("/") + "/"
        # Not `FileSystems.match`, which does the same and holds the whole list.
        for entry in FileSystems.get_filesystem(prefix)._list(prefix):
            name = entry.path[len(prefix) :]
            if any(part.startswith(".") for part in name.split("/")):
                count("hidden files")
            elif name and not name.endswith("/"):
                yield name
        return

    # Not through Beam, whose listing of local files leaves out broken links without a word.
    pending = [""]
    while pending:
        parent = pending.pop()
        with os.scandir(join(folder, parent) if parent else folder) as entries:
            for entry in entries:
                name = f"{parent}/{entry.name}" if parent else entry.name
                if entry.name.startswith("."):
                    count("hidden files and folders")
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112  # False for a link to itself.
                    count("links to folders")
                else:
                    yield name


def open_file(path: str) -> BinaryIO:
    """Opens a file for reading, as it is, compressed or not.

    Args:
        path: the file.

    Returns:
        The open file; it can seek.

    Raises:
        OSError: it is not there, or not an ordinary file: opening a pipe would wait forever.
    """
    if not is_remote(path):
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise OSError("not an ordinary file")
        return open(path, "rb")  # noqa: PTH123  # As Beam does, after longer than reading a small file takes.
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def read(path: str, max_bytes: int | None = None) -> bytes:
    """Reads a whole file.

    Args:
        path: the file.
        max_bytes: the most that is read.

    Returns:
        Its content.

    Raises:
        TooLarge: it has more than `max_bytes`.
        OSError: it cannot be read.
    """
    pieces, count = [], 0
    with open_file(path) as file:
        # In pieces, since a file that is asked for `max_bytes` may make room for as many before it reads any.
        while piece := file.read(_PIECE):
            pieces.append(piece)
            count += len(piece)
            if max_bytes is not None and count > max_bytes:
                raise TooLarge(f"more than {max_bytes:,} bytes")
    return b"".join(pieces)


def create(path: str) -> BinaryIO:
    """Opens a file for writing; folders are made, and a file that is there is replaced."""
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def write(path: str, data: bytes) -> None:
    """Writes a whole file."""
    with create(path) as file:
        file.write(data)


def rename(source: str, destination: str) -> None:
    """Gives a file, or a folder where the file system has them, another name; a file that has it is replaced."""
    from apache_beam.io.filesystems import FileSystems

    FileSystems.rename([source], [destination])


def delete(paths: list[str]) -> None:
    """Deletes files."""
    for path in paths:
        if is_remote(path):
            from apache_beam.io.filesystems import FileSystems

            FileSystems.delete([path])
        else:
            os.remove(path)  # noqa: PTH107


def delete_folder(folder: str) -> None:
    """Deletes a folder and everything in it."""
    if is_remote(folder):
        delete([join(folder, name) for name in list_files(folder)])
    else:
        shutil.rmtree(folder)
