"""Reads batches in processes of their own, which do not wait for each other's, or training's, interpreter lock.

They write into memory that training sees too, so that only numbers travel. They import no TensorFlow, and end when the
pipe from the process that started them does, however that ended.
"""

import contextlib
import functools
import itertools
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.data.batch_reader import BatchReader, Skip
from stargan_tf.data.buffers import SharedBufferPool, open_shared
from stargan_tf.data.record_files import Place

# Batches that are asked for before they are needed, for each process: the one that it works on, and the next.
_AHEAD = 2

# Not by `multiprocessing`, whose processes begin with what the user's own program does outside of its functions.
_COMMAND = [sys.executable, "-c", f"from {__name__} import serve; serve()"]


def read_in_processes(
    reader: BatchReader, count: int, start_step: int, skip: Skip
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Reads what a `BatchReader` reads, several batches at a time, from some step on.

    Args:
        reader: what each process gets.
        count: how many processes, at least 1; they end when the iterator is closed.
        start_step: number of the first step.
        skip: as for `BatchReader.read`.

    Yields:
        Images, an array of the reader's `shape`, and domains as from `BatchReader.read`.

    Raises:
        UserError: as `BatchReader.read`; a process has ended; or the system is not Linux.
    """
    if not hasattr(os, "memfd_create"):
        raise UserError(f"--input.reader_processes {count} needs Linux; set it to 0 to read in threads")
    buffers = SharedBufferPool(reader.shape)
    pending: deque[np.ndarray] = deque()
    processes = [_start() for _ in range(count)]
    try:
        for process in processes:
            _send(process, reader)
        for step in itertools.count(start_step):
            for following in range(step + len(pending), step + _AHEAD * count):
                images = buffers.take()
                _send(processes[following % count], (following, buffers.path_of(images)))
                pending.append(images)
            images = pending.popleft()
            reply = _receive(processes[step % count])
            if isinstance(reply, UserError):
                raise reply
            source_domain, target_domain, skipped = reply
            for place, reason in skipped:
                skip(place, reason)
            yield images, source_domain, target_domain
    finally:
        _end(processes)


def _start() -> subprocess.Popen:
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)  # noqa: PTH109
    # In a session of its own, where Ctrl-C does not reach it: training decides when it needs no more batches.
    return subprocess.Popen(
        _COMMAND,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _send(process: subprocess.Popen, message: object) -> None:
    try:
        pickle.dump(message, process.stdin)
        process.stdin.flush()
    except OSError as error:
        raise _ended() from error


def _receive(process: subprocess.Popen) -> object:
    try:
        return pickle.load(process.stdout)
    except (EOFError, pickle.UnpicklingError) as error:
        raise _ended() from error


def _ended() -> UserError:
    return UserError(
        "a process that reads images has ended (see above, or it was killed since memory ran out); train again to go "
        "on, with fewer --input.reader_processes if need be"
    )


def _end(processes: Sequence[subprocess.Popen]) -> None:
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
