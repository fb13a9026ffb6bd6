"""Reads batches in processes of their own, which do not wait for each other's, or training's, interpreter lock.

They write into memory that training sees too, so that only numbers travel. They import no TensorFlow, and end when the
pipe from the process that started them does, however that ended.
"""

import contextlib
import functools
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque

import numpy as np

from stargan_tf.data.batch_reader import BatchReader, Skip
from stargan_tf.data.buffers import SharedBufferPool, open_shared
from stargan_tf.data.record_files import Place
from stargan_tf.errors import UserError

# Batches that are asked for before they are needed, for each process: the one that it works on, and the next.
_AHEAD = 2

# Not by `multiprocessing`, whose processes begin with what the user's own program does outside of its functions.
_COMMAND = [sys.executable, "-c", f"from {__name__} import serve; serve()"]


class ReaderProcesses:
    """Reads the batches that a `BatchReader` reads, several at a time; threads may share it.

    Args:
        reader: what each process gets.
        count: how many processes, at least 1.

    Raises:
        UserError: the system is not Linux.
    """

    def __init__(self, reader: BatchReader, count: int):
        if not hasattr(os, "memfd_create"):
            raise UserError(f"--input.reader_processes {count} needs Linux; set it to 0 to read in threads")
        self._buffers = SharedBufferPool(reader.shape)
        self._pending: deque[tuple[int, np.ndarray]] = deque()  # steps that follow each other, and their images
        self._lock = threading.Lock()
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)  # noqa: PTH109
        environment = {**os.environ, "PYTHONPATH": path}
        self._processes = [
            # In sessions of their own, where Ctrl-C does not reach them: training decides when it needs no more.
            subprocess.Popen(
                _COMMAND, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            for _ in range(count)
        ]
        weakref.finalize(self, _end, self._processes)
        for number in range(count):
            self._send(number, reader)

    def read(self, step: int, skip: Skip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reads one step, and asks for those that follow.

        Args:
            step: which.
            skip: as for `BatchReader.read`.

        Returns:
            Images, [(source, reference, reference_2), rows, height, width, 3] uint8, and domains as from
            `BatchReader.read`.

        Raises:
            UserError: as `BatchReader.read`, or a process has ended.
        """
        with self._lock:
            if self._pending and self._pending[0][0] != step:  # another iterator
                while self._pending:
                    self._receive(self._pending.popleft()[0])
            first = step + len(self._pending)
            for following in range(first, step + _AHEAD * len(self._processes)):
                path, images = self._buffers.take()
                self._send(following, (following, path))
                self._pending.append((following, images))
            _, images = self._pending.popleft()
            reply = self._receive(step)
        if isinstance(reply, UserError):
            raise reply
        source_domain, target_domain, skipped = reply
        for place, reason in skipped:
            skip(place, reason)
        return images, source_domain, target_domain

    def _send(self, step: int, message: object) -> None:
        """Sends a message to the process whose turn is at a step."""
        pipe = self._processes[step % len(self._processes)].stdin
        try:
            pickle.dump(message, pipe)
            pipe.flush()
        except OSError as error:
            raise _ended() from error

    def _receive(self, step: int) -> object:
        """Returns the answer to what was sent for a step."""
        try:
            return pickle.load(self._processes[step % len(self._processes)].stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            raise _ended() from error


def _ended() -> UserError:
    return UserError(
        "a process that reads images has ended (see above, or it was killed since memory ran out); train again to go "
        "on, with fewer --input.reader_processes if need be"
    )


def _end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        with contextlib.suppress(OSError):  # what was not yet sent to a process that has ended
            process.stdin.close()
    for process in processes:
        process.stdout.close()
        process.wait()


def serve() -> None:
    """Does what such a process does: reads what is asked for on standard input, until that ends."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # some managers send it to all processes
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints is no reply
    reader: BatchReader = pickle.load(requests)
    open_images = functools.cache(functools.partial(open_shared, shape=reader.shape))
    while True:
        try:
            step, path = pickle.load(requests)
            images = open_images(path)
        except (EOFError, FileNotFoundError):  # the process that started this one has ended, as its memory has
            return
        skipped: list[tuple[Place, str]] = []
        try:
            reply = *reader.read(step, images, lambda *record: skipped.append(record)), skipped  # noqa: B023
        except UserError as error:
            reply = error
        try:
            pickle.dump(reply, replies)
            replies.flush()
        except BrokenPipeError:
            os._exit(0)  # or the interpreter would try once more, and complain
