"""Writes files and directories whole or not at all, whenever the process is killed; a full disk is one sentence.

Everything is written beside its place under a temporary name, `.NAME.partial-HOST-PID`, and renamed when complete.
"""

import contextlib
import ctypes
import errno
import glob
import json
import os
import re
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError

_FULL = {errno.ENOSPC: "no space left on the device", errno.EDQUOT: "the disk quota is used up"}
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_PARTIAL, _REPLACED = "partial", "replaced"

# Numbers of the Linux kernel's interface (fcntl.h, stdio.h).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


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
    # Threads may write the same file at the same time, too: the last one stays.
    check_local(path)
    path = Path(os.path.realpath(path))  # what a link leads to is replaced, not the link
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UserError(f"{str(path)!r} is no ordinary file; name another")
    temporary = _beside(path, _PARTIAL, f"-{threading.get_ident()}{path.suffix}")
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
        UserError: `path` is a file, or a directory with content that must not be replaced; the directory cannot be
            made; or there is no room for what the block writes. Other errors of the block stay as they are.
    """
    check_local(Path(path))
    path = Path(path).resolve()
    temporary = _beside(path, _PARTIAL)
    try:
        _remove_what_killed_processes_left(path)
        _check_free(path, overwrite)
        temporary.mkdir(parents=True)
    except OSError as error:
        raise WriteError(path, error) from error
    try:
        yield temporary
        _check_free(path, overwrite)  # again: the work between may have taken hours
        try:
            _put_in_place(temporary, path)
        except OSError as error:
            raise WriteError(path, error) from error
    except UserError:
        raise
    except Exception as error:
        if _full(error):
            raise WriteError(path, error) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after an exchange, this is what was replaced


def _beside(path: Path, kind: str, suffix: str = "") -> Path:
    return path.with_name(f".{path.name}.{kind}-{socket.gethostname()}-{os.getpid()}{suffix}")


def _check_free(path: Path, overwrite: bool) -> None:
    if is_occupied(path) and not (overwrite and path.is_dir()):
        problem = "exists and is not empty" if path.is_dir() else "is a file"
        raise UserError(f"{str(path)!r} {problem}; remove it or name another directory")


def _remove_what_killed_processes_left(path: Path) -> None:
    """Removes temporary directories of processes of this machine that are no more; puts back what they moved away."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*-{socket.gethostname()}-*"):
        kind, process = left.name.removeprefix(f".{path.name}.").partition("-")[0], left.name.rpartition("-")[2]
        if kind not in (_PARTIAL, _REPLACED) or not process.isdigit() or _is_another_that_lives(int(process)):
            continue
        if kind == _REPLACED and not path.exists():
            left.rename(path)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _is_another_that_lives(process: int) -> bool:
    if process == os.getpid():  # of a container that was started again, where every process has the number it had
        return False
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is another user's
        return True
    return True


def _put_in_place(new: Path, path: Path) -> None:
    """Makes one directory the other, which may be there already."""
    if not is_occupied(path):
        new.rename(path)  # replaces an empty directory
    elif not _exchange(new, path):
        # For a moment there is neither; whoever is killed in it leaves the old one to the next process.
        replaced = _beside(path, _REPLACED)
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
