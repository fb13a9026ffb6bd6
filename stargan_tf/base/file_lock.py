"""Locks of files, which the system lets go of when a process ends, however it ends.

That takes a few lines of `fcntl` and no library. It holds between containers on one disk and, where the server knows
locks, between machines on NFS, which numbers of processes do not.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from stargan_tf.base.errors import TryAgainError, UserError


class NoLocksError(OSError):
    """A file system that has no locks."""


def acquire(file: Path) -> TextIO | None:
    """Takes the lock of a file, which is made if it is missing.

    Args:
        file: the lock file, in an existing directory. Whoever removes it must hold its lock.

    Returns:
        The open file, which holds the lock until it is closed; None if another process, or another thread, holds it.

    Raises:
        NoLocksError: the file system has no locks.
        OSError: the file cannot be opened.
    """
    while True:
        opened = file.open("a+")
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(file, opened):
                return opened
        except BlockingIOError:
            opened.close()
            return None
        except OSError as error:
            opened.close()
            raise NoLocksError(error.errno, error.strerror, str(file)) from error
        opened.close()  # the one that held the lock has removed the file meanwhile


def _is_still_there(file: Path, opened: TextIO) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(opened.fileno()))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def locked(file: Path, refusal: str) -> Iterator[None]:
    """Keeps other processes out while the block runs.

    Args:
        file: the lock file, in an existing directory; it names the process that holds the lock, and is kept.
        refusal: message of the error, to which the process that holds the lock is added.

    Raises:
        TryAgainError: another process holds the lock.
        UserError: the file system has no locks.
    """
    try:
        opened = acquire(file)
    except NoLocksError as error:
        raise UserError(f"{str(file)!r} cannot be locked: {error.strerror}; use a local disk") from error
    if opened is None:
        raise TryAgainError(f"{refusal} (locked by {file.read_text().strip() or 'a process that just starts'})")
    with opened:
        opened.truncate(0)
        opened.write(f"process {os.getpid()} on {socket.gethostname()}")
        opened.flush()
        yield
        opened.truncate(0)
