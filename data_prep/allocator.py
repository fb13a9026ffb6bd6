"""Limits the memory that the C library keeps after it is freed: what one thread frees, all others can use."""

import ctypes
import os

_M_ARENA_MAX = -8  # malloc.h of the GNU C library


def share_one_arena() -> None:
    """Lets all threads of this process, and of those it starts from now on, take memory from one arena.

    By default threads have up to eight arenas for each processor, and what is free in one is of no use in another.
    Beam's runner and its workers have tens of threads, of which the interpreter lets one work at a time. Only the GNU C
    library has arenas; with another one nothing changes. A user's own MALLOC_ARENA_MAX stands.
    https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    os.environ["MALLOC_ARENA_MAX"] = "1"
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
