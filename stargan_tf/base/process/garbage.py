"""When the interpreter looks for garbage: not while it imports, traces or ends, when it finds none and takes long."""

import atexit
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_looked_for() -> Iterator[None]:
    """Keeps the interpreter from looking for garbage: put it around what makes many objects that stay.

    It looks through all of them again and again while they become more: a quarter of the time of importing TensorFlow,
    a sixth of that of tracing a training step.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def end_at_once() -> None:
    """Lets this process end without a search for garbage, which after training takes from seconds to a minute.

    The interpreter looks through all graphs for what can be freed while it ends, and then frees it, as the system does
    anyway. Everything else of an end stays: threads are waited for, exit handlers run, streams are flushed.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # what is frozen is not looked at
