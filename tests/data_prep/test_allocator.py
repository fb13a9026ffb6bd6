"""Threads share one arena, in this process and in those it starts: counted by the C library itself."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has arenas")

# Eight threads that hold memory at the same time, and the number of arenas then.
_COUNT = """
import ctypes, os, sys, tempfile, threading
from data_prep.allocator import share_one_arena

if sys.argv[1] == "share":
    share_one_arena()
libc = ctypes.CDLL(None)
libc.fopen.restype = libc.malloc.restype = ctypes.c_void_p
libc.malloc_info.argtypes, libc.fclose.argtypes = (ctypes.c_int, ctypes.c_void_p), (ctypes.c_void_p,)
together = threading.Barrier(8)

def hold():
    together.wait()
    libc.malloc(1000)
    together.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with tempfile.NamedTemporaryFile() as file:
    stream = libc.fopen(file.name.encode(), b"w")
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
if len(sys.argv) == 2 and "MALLOC_ARENA_MAX" in os.environ:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:], "inherited"])
"""


def count(way: str, **environment: str) -> list[int]:
    """The number of arenas of a process, and of one that it becomes if it set the environment."""
    before = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", _COUNT, way]
    done = subprocess.run(command, env=before | environment, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


def test_threads_and_children_share_one_arena():
    (many,) = count("leave")
    assert many > 1
    assert count("share") == [1, 1]


def test_what_the_user_set_stands():
    first, then = count("share", MALLOC_ARENA_MAX="3")
    assert 1 < first <= 3
    assert 1 < then <= 3
