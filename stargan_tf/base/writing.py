"""Writes files and directories whole or not at all, whenever the process is killed; a full disk is one sentence.

Everything is written beside its place under a temporary name of its own, `.NAME.partial-ID`, and renamed when complete.
While a directory is filled, its writer holds a lock beside it, `.NAME.partial-ID.lock`: where nobody does, it is dead.
"""

import contextlib
import ctypes
import errno
import glob
import json
import os
import re
import shutil
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import file_lock
from stargan_tf.base.errors import UserError

_FULL = {errno.ENOSPC: "no space left on the device", errno.EDQUOT: "the disk quota is used up"}
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)
_PARTIAL, _REPLACED, _LOCK = "partial", "replaced", ".lock"

# Numbers of the Linux kernel's interface (fcntl.h, stdio.h).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class OccupiedError(UserError):
    """Something is there that must not be replaced."""


class WriteError(UserError):
    """Something cannot be written.

    Args:
        what: file or directory.
        error: why.
    """

    def __init__(self, what: Path, error: Exception):
        super().__init__(f"{str(what)!r} cannot be written: {reason(error)}")
        self.reason = reason(error)


def write_errors() -> tuple[type[Exception], ...]:
    """Returns the types of errors that say that something cannot be written; TensorFlow's only if it is loaded."""
    tensorflow = sys.modules.get("tensorflow")
    return (OSError, WriteError, *([tensorflow.errors.OpError] if tensorflow else []))


def reason(error: Exception) -> str:
    """Returns in a few words why something could not be written."""
    if isinstance(error, WriteError):
        return error.reason
    return _full(error) or getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__


def unwritable(error: Exception) -> str | None:
    """Returns a sentence if an error means that the disk is full or that a place may not be written, else None."""
    if words := _full(error):
        return f"{words}; make room, then give the same command again"
    if isinstance(error, OSError) and error.errno in _FORBIDDEN and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}"
    return None


def is_full(error: Exception) -> bool:
    """Returns whether an error means that a disk is full."""
    return _full(error) is not None


def _full(error: Exception) -> str | None:
    """Returns what is full if an error says so, itself or, as those of TensorFlow and Beam, somewhere in its text."""
    for number, words in _FULL.items():
        if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
            return words
    return None


def check_local(path: Path) -> None:
    """Raises UserError for the path of a store, of which a `Path` makes a local one: `s3://b/x` is `s3:/b/x` then."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        raise UserError(f"{str(path).replace(':/', '://', 1)} is on a store; it must be a local path")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Gives a path to write a file to, which gets its name when the block ends without an exception.

    Args:
        path: the file; directories above it are made, and a file that is there is replaced.

    Yields:
        A path beside it, with the same ending; after an exception nothing is there.

    Raises:
        UserError: the file cannot be written: every OSError in the block becomes a `WriteError`; or it is on a store.
    """
    # Several may write the same file at the same time: the last one stays.
    check_local(path)
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{str(path)!r} is no ordinary file; name another")
    temporary = _beside(path, _PARTIAL, uuid.uuid4().hex[:8] + path.suffix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(path, error) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file as `whole_file` does."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes a file in UTF-8 as `whole_file` does."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes a file of JSON as `whole_file` does."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name, as NumPy's .npz, as `whole_file` does."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # taken for its other argument


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Reads arrays by name; returns None where there is no such file, or a damaged one, which is as good as none."""
    try:
        with np.load(path) as arrays:  # refuses pickled objects
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def is_temporary(path: Path) -> bool:
    """Returns whether a name is one that is given here to what is not complete."""
    return path.name.startswith(".") and f".{_PARTIAL}-" in path.name


def is_occupied(path: Path) -> bool:
    """Returns whether something is there that must not be written over: a file, or a directory with content.

    Raises:
        UserError: as `check_local`.
    """
    check_local(path)
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


@contextlib.contextmanager
def whole_directory(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives a directory to fill, which gets its name when the block ends without an exception.

    Args:
        path: the directory; those above it are made.
        overwrite: whether a directory that is there is replaced. It stays untouched until the new one is complete.

    Yields:
        An empty directory beside it. After an exception it is removed; after a killed process, by the next one.

    Raises:
        OccupiedError: `path` is a file, or a directory with content that must not be replaced.
        UserError: the directory cannot be made, or there is no room for what the block writes. Other errors of the
            block stay as they are.
    """
    check_local(Path(path))
    path = Path(path).resolve()
    with contextlib.ExitStack() as stack:
        try:
            remove_what_killed_processes_left(path.parent, path.name)
            _check_free(path, overwrite)
            temporary = stack.enter_context(temporary_directory(path))  # after an exchange, this is what was replaced
        except OSError as error:
            raise WriteError(path, error) from error
        name = temporary.name.rpartition("-")[2]
        try:
            yield temporary
            _check_free(path, overwrite)  # again: the work between may have taken hours
            try:
                _put_in_place(temporary, path, _beside(path, _REPLACED, name))
            except OSError as error:
                _check_free(path, overwrite)  # and again: another may have been sooner by a moment
                raise WriteError(path, error) from error
        except UserError:
            raise
        except Exception as error:
            if _full(error):
                raise WriteError(path, error) from error
            raise


@contextlib.contextmanager
def temporary_directory(path: Path) -> Iterator[Path]:
    """Gives an empty directory beside a path, which is removed when the block ends.

    That of a killed process is removed by the next one that asks for the same path.

    Args:
        path: of which the directory's name is made; the directories above it are made.

    Yields:
        The directory.
    """
    temporary = _beside(path, _PARTIAL, uuid.uuid4().hex[:8])
    remove_what_killed_processes_left(path.parent, path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock_of_the_living(temporary.with_name(temporary.name + _LOCK)):
        temporary.mkdir()
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path, kind: str, name: str) -> Path:
    return path.with_name(f".{path.name}.{kind}-{name}")


def _check_free(path: Path, overwrite: bool) -> None:
    if is_occupied(path) and not (overwrite and path.is_dir()):
        problem = "exists and is not empty" if path.is_dir() else "is a file"
        raise OccupiedError(f"{str(path)!r} {problem}; remove it or name another directory")


@contextlib.contextmanager
def _lock_of_the_living(file: Path) -> Iterator[None]:
    """Says by a lock that this process lives; where there are none, nobody removes what has none."""
    try:
        while (lock := file_lock.acquire(file)) is None:
            time.sleep(0.01)  # of one that looks for what killed processes left
    except file_lock.NoLocksError:
        file.unlink(missing_ok=True)
        yield
        return
    with lock:
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


def remove_what_killed_processes_left(folder: Path, name: str | None = None) -> None:
    """Removes what `whole_directory` could not finish; puts back what it moved away.

    Args:
        folder: where to look; it may be missing.
        name: of the directory that was to be written; by default of any.
    """
    for file in folder.glob(f".{'*' if name is None else glob.escape(name)}.{_PARTIAL}-*{_LOCK}"):
        with contextlib.suppress(OSError):
            if (lock := file_lock.acquire(file)) is None:
                continue  # its writer lives
            with lock:
                of, _, number = file.name.removesuffix(_LOCK)[1:].rpartition(f".{_PARTIAL}-")
                path = folder / of
                replaced = _beside(path, _REPLACED, number)
                if replaced.exists() and not path.exists():
                    replaced.rename(path)
                for left in (_beside(path, _PARTIAL, number), replaced):
                    shutil.rmtree(left, ignore_errors=True)
                file.unlink(missing_ok=True)


def _put_in_place(new: Path, path: Path, replaced: Path) -> None:
    """Makes one directory the other, which may be there already, and is then moved to a third place for a moment."""
    if not is_occupied(path):
        new.rename(path)  # replaces an empty directory
    elif not _exchange(new, path):
        # For a moment there is neither; whoever is killed in it leaves the old one to the next process.
        path.rename(replaced)
        try:
            new.rename(path)
        except OSError:
            replaced.rename(path)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two directories in one step, where the system can; tells whether it could."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2  # Linux, man 2 rename; Python has no function for it
    except AttributeError:
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
