"""Memory for batches that is used again: fresh pages for every batch would take longer than filling them."""

import mmap
import weakref
from collections import deque

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
            memory = mmap.mmap(-1, int(np.prod(self._shape)))  # begins with a page
        # The owner of the memory is no array: so every view refers to this array, and not past it to the owner.
        array = np.ndarray(self._shape, np.uint8, memory)
        weakref.finalize(array, self._free.append, memory).atexit = False
        return array
