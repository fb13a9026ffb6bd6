"""How far a pipeline has come: each worker process says now and then in a file of its own what it did."""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator

from data_prep.outcome import work_folder
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.process import repeating
from stargan_tf.base.progress import Progress

_SECONDS = 2.0


class _Worker:
    """What this process did."""

    def __init__(self) -> None:
        self._lock, self._name = threading.Lock(), uuid.uuid4().hex
        self._directory, self._count, self._said = "", 0, 0.0

    def did_one(self, directory: str) -> None:
        now = time.monotonic()
        with self._lock:
            if directory != self._directory:
                self._directory, self._count, self._said = directory, 0, now
            self._count += 1
            count, is_due = self._count, now - self._said >= _SECONDS
            if is_due:
                self._said = now
        if is_due:  # not under the lock: a store may take its time
            with contextlib.suppress(OSError, UserError):  # The work itself tells what is wrong with the place.
                files.write(files.join(_folder(directory), self._name), str(count).encode())


_worker = _Worker()


def did_one(directory: str) -> None:
    """Notes in a worker that an image was looked at, prepared or rejected.

    Args:
        directory: where the job writes.
    """
    _worker.did_one(directory)


def count(directory: str) -> int:
    """Returns how often workers called `did_one`, but for the last seconds; what was done twice counts twice."""
    folder = _folder(directory)
    return sum(int(files.read(files.join(folder, name))) for name in files.list_files(folder))


@contextlib.contextmanager
def show(num_images: int, directory: str) -> Iterator[None]:
    """Shows progress while the block runs.

    Args:
        num_images: how many images there are; each is looked at, and then prepared.
        directory: where the job writes.
    """
    total = 2 * num_images

    def look() -> None:
        with contextlib.suppress(OSError, UserError, ValueError):  # only a look
            bar.update(min(count(directory), total) - bar.done)

    with Progress(total, "preparing", "steps") as bar:
        with repeating.meanwhile(look, _SECONDS):
            yield
        bar.update(total - bar.done)


def _folder(directory: str) -> str:
    return files.join(work_folder(directory), "progress")
