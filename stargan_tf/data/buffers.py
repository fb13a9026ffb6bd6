"""Memory for batches that is used again: fresh pages for every batch would take longer than filling them."""

import mmap
import os
import weakref
from collections import deque
from typing import BinaryIO

import numpy as np


class BufferPool:
    """Hands out arrays of one shape, and takes their memory back when nothing refers to them any more.

    TensorFlow takes over an array as it is, without a copy, if it begins at a multiple of 64 bytes; the array is free
    when the tensor is. Threads may share a pool. There is as much memory as was in use at once.

    Args:
        shape: shape of the arrays, which are uint8.
    """

    def __init__(self, shape: tuple[int, ...]):
        self._shape = shape
        self._free: deque[mmap.mmap] = deque()

    def take(self) -> np.ndarray:
        """Returns an array with any content; it, or a view of it, must be referred to as long as it is used."""
        try:
            memory = self._free.popleft()
        except IndexError:
            memory = self._allocate(int(np.prod(self._shape)))
        array = _array_in(memory, self._shape)
        weakref.finalize(array, self._free.append, memory).atexit = False
        return array

    def _allocate(self, num_bytes: int) -> mmap.mmap:
        return mmap.mmap(-1, num_bytes)  # begins with a page


class _SharedMemory(mmap.mmap):
    """Memory that is a file, which is open as long as there is the memory."""

    file: BinaryIO


class SharedBufferPool(BufferPool):
    """As `BufferPool`, with memory that processes of the same user can open, and that is gone with the last of them.

    Only Linux has such memory (memfd_create(2)); unlike files in /dev/shm it has no limit of its own in a container.

    Args:
        shape: shape of the arrays, which are uint8.
    """

    def path_of(self, array: np.ndarray) -> str:
        """Returns the path by which `open_shared` gives other processes an array that this pool handed out."""
        return f"/proc/{os.getpid()}/fd/{array.base.file.fileno()}"

    def _allocate(self, num_bytes: int) -> _SharedMemory:
        file = os.fdopen(os.memfd_create("stargan_tf batch"), "r+b", buffering=0)
        file.truncate(num_bytes)
        memory = _SharedMemory(file.fileno(), num_bytes)
        memory.file = file
        return memory


def open_shared(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Gives an array of another process's `SharedBufferPool`.

    Args:
        path: as `path_of` gave it there.
        shape: shape of the pool's arrays.

    Returns:
        The array, uint8.
    """
    with open(path, "r+b", buffering=0) as file:  # noqa: PTH123  # a file without a place in a folder
        return _array_in(mmap.mmap(file.fileno(), 0), shape)


def _array_in(memory: mmap.mmap, shape: tuple[int, ...]) -> np.ndarray:
    """Returns an array of uint8 that lies in memory; every view of it refers to it, and not past it to the memory."""
    return np.ndarray(shape, np.uint8, memory)  # NumPy looks for the owner among arrays only
