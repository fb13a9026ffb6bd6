"""Gives memory that was freed back to the system, which the C library keeps for itself."""

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator

from stargan_tf.base.process import repeating

_SECONDS = 2.0
_M_MMAP_THRESHOLD = -3  # of mallopt
_MAPPED_BYTES = 1 << 20


@contextlib.contextmanager
def given_back() -> Iterator[None]:
    """Gives memory back every two seconds: put it around what takes and frees much at its start, and runs on.

    Before a graph runs for the first time TensorFlow rewrites it, and what that freed, 0.2 to 0.3 GB at 256 px, would
    stay beside what the step then needs. Only the GNU C library can do it; with another one nothing happens.
    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    trim = _function("malloc_trim")
    if trim is None:
        yield
        return
    try:
        with repeating.meanwhile(lambda: trim(0), _SECONDS):
            yield
    finally:
        trim(0)


def keep_no_pool() -> None:
    """Has tensors on the CPU take their memory from the system and give it back at once, if TensorFlow starts after it.

    With the GNU C library pieces of a megabyte and more are then mapped one by one; other libraries decide themselves.
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"
    if (set_option := _function("mallopt")) is not None:
        set_option(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def _function(name: str) -> Callable[..., int] | None:
    """Returns a function of the C library, if it has it."""
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None
