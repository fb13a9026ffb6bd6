"""One run at a time on one root."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from stargan_tf.base.errors import UserError

_LOCK_FILE = "lock"


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keeps other runs away from a root while the block runs; the system lets go of it when a process is killed.

    Args:
        root: directory of the pipeline, which exists.

    Raises:
        UserError: another run has it.
    """
    with (root / _LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise UserError(
                f"another run ({file.read().strip() or 'just starting'}) works on {root}; wait for its end, or give "
                "this one another root"
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield
        file.truncate(0)
