"""One process at a time."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from stargan_tf.base.errors import UserError


@contextlib.contextmanager
def locked(file: Path, refusal: str) -> Iterator[None]:
    """Keeps other processes out while the block runs.

    The operating system releases the lock when the process ends, however it ends; that takes a few lines of `fcntl` and
    no library.

    Args:
        file: the lock file, in an existing directory; it names the process that holds the lock, and is kept.
        refusal: message of the error, to which the process that holds the lock is added.

    Raises:
        UserError: another process holds the lock.
    """
    with file.open("a+") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            opened.seek(0)
            raise UserError(f"{refusal} (locked by {opened.read().strip() or 'a process that just starts'})") from None
        except OSError as error:
            raise UserError(f"{str(file)!r} cannot be locked: {error.strerror}; use a local disk") from error
        opened.truncate(0)
        opened.write(f"process {os.getpid()} on {socket.gethostname()}")
        opened.flush()
        yield
        opened.truncate(0)
