import subprocess
import sys
import threading

import pytest

from stargan_tf.base.process import freed_memory

# Small pieces, which come from the heap, of which every second one is freed: no end of the heap is free then.
_SCRIPT = """
import contextlib, os, time
from stargan_tf.base.process import freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

freed_memory._SECONDS = 0.05
with freed_memory.given_back() if {given_back} else contextlib.nullcontext():
    pieces = [bytearray(40_000) for _ in range(5_000)]
    pieces = [piece for number, piece in enumerate(pieces) if number % 20 == 0]
    time.sleep(1)
    print(resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library has arenas")
def test_memory_goes_back_while_the_block_runs():
    def resident(given_back):
        script = _SCRIPT.format(given_back=given_back)
        return int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, text=True).stdout)

    assert resident(True) < resident(False) - 100_000_000


def test_the_thread_ends_with_the_block():
    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="what the block raises"), freed_memory.given_back():
        raise ValueError("what the block raises")
    assert set(threading.enumerate()) == before


def test_without_the_gnu_library_nothing_happens(monkeypatch):
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: object())
    before = set(threading.enumerate())
    with freed_memory.given_back():
        assert set(threading.enumerate()) == before


# Of tensors that are gone before the numbers are printed.
_TENSORS = """
import os
from stargan_tf.base.process import freed_memory
if not {pool}:
    freed_memory.keep_no_pool()
import tensorflow as tf

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

tf.zeros(1)
before = resident()
tensors = [tf.ones(5_000_000) for _ in range(20)]
del tensors
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_without_a_pool_memory_of_tensors_goes_back_at_once():
    def kept(pool):
        script = [sys.executable, "-c", _TENSORS.format(pool=pool)]
        return int(subprocess.run(script, stdout=subprocess.PIPE, check=True, text=True).stdout)

    assert kept(True) > 300_000_000
    assert kept(False) < 100_000_000
