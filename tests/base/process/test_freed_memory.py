import subprocess
import sys
import threading

import pytest

from stargan_tf.base.process import freed_memory

_RESIDENT = """
import os

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
"""

# Small pieces, which come from the heap, of which every second one is freed: no end of the heap is free then.
_SCRIPT = """
import contextlib, time
from stargan_tf.base.process import freed_memory

freed_memory._SECONDS = 0.05
with freed_memory.given_back() if {given_back} else contextlib.nullcontext():
    pieces = [bytearray(40_000) for _ in range(5_000)]
    pieces = [piece for number, piece in enumerate(pieces) if number % 20 == 0]
    time.sleep(1)
    print(resident())
"""


def number_of(script, **values):
    """The number that a process of its own prints, which knows `resident`."""
    command = [sys.executable, "-c", _RESIDENT + script.format(**values)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only the GNU C library has arenas")
def test_memory_goes_back_while_the_block_runs():
    kept, left = (number_of(_SCRIPT, given_back=given_back) for given_back in (True, False))
    assert kept < left - 100_000_000


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
from stargan_tf.base.process import freed_memory
if not {pool}:
    freed_memory.keep_no_pool()
import tensorflow as tf

tf.zeros(1)
before = resident()
tensors = [tf.ones(5_000_000) for _ in range(20)]
del tensors
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_without_a_pool_memory_of_tensors_goes_back_at_once():
    assert number_of(_TENSORS, pool=True) > 300_000_000
    assert number_of(_TENSORS, pool=False) < 100_000_000
