"""Lets calls from tf.data's threads end before the interpreter does.

While a dataset's iterator is referred to, by a variable of a module or by the traceback of an error, its threads call
Python ahead of need. A call that comes when the interpreter is being taken down ends its thread, and with it the
process: "terminate called without an active exception".
"""

import atexit
import contextlib
import threading
import time
from collections.abc import Iterator

# Queues of tf.data that have taken nothing for so long are full, and stay so, as nobody takes from them any more.
_QUIET_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0

_condition = threading.Condition()
_running = 0
_ending = False


@contextlib.contextmanager
def awaited() -> Iterator[None]:
    """To be put around what such a call does.

    Raises:
        RuntimeError: the process ends; what is returned would be seen by nobody.
    """
    global _running
    with _condition:
        _running += 1
        _condition.notify()
    try:
        if _ending:
            raise RuntimeError("the process is ending")
        yield
    finally:
        with _condition:
            _running -= 1
            _condition.notify()


@atexit.register
def _wait() -> None:
    """Makes calls fail at once, which fills the queues, and waits until none has come for a while."""
    global _ending
    end = time.monotonic() + _PATIENCE_SECONDS
    with _condition:
        _ending = True
        while time.monotonic() < end and (_condition.wait(_QUIET_SECONDS) or _running):
            pass
