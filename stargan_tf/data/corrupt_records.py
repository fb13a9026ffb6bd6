"""Counts the records that a training run skips because they are damaged, and ends the run when there are too many."""

import contextlib
import threading
from collections.abc import Iterator

from stargan_tf.base import progress
from stargan_tf.base.errors import RefusedError, UserError
from stargan_tf.data.record_files import Place


class CorruptRecords:
    """What was skipped so far; threads may share it.

    Args:
        limit: how many records may be skipped; 0 makes the first one an error.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._reasons: dict[Place, str] = {}
        self._error: UserError | None = None
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many different records were skipped by this process; a run that goes on counts them anew."""
        return len(self._reasons)

    @property
    def reasons(self) -> dict[Place, str]:
        """Why, by place."""
        return dict(self._reasons)

    def add(self, place: Place, reason: str) -> None:
        """Notes a record that has to be skipped; one that is known already is not counted again.

        Args:
            place: where it is.
            reason: why.

        Raises:
            RefusedError: it is one too many.
        """
        with self._lock:
            if place not in self._reasons:
                self._reasons[place] = reason
                if self.count <= self._limit:
                    progress.say(f"note: skipped {place}: {reason}")
            if self.count > self._limit:
                raise RefusedError(
                    f"{place} is corrupt: {reason}; that makes {self.count} where --input.max_corrupt_records allows "
                    f"{self._limit}: raise it to go without these records, or prepare the data anew"
                )

    @contextlib.contextmanager
    def kept_errors(self) -> Iterator[None]:
        """Wraps what tf.data calls, and keeps a UserError for `user_errors`."""
        try:
            yield
        except UserError as error:
            self._error = error
            raise

    @contextlib.contextmanager
    def user_errors(self) -> Iterator[None]:
        """Wraps what takes batches: raises the error that was kept instead of the one that TensorFlow made of it.

        Raises:
            UserError: the reader's: there are too many corrupt records, for instance.
        """
        try:
            yield
        except Exception as error:  # TensorFlow passes a Python error through tf.data as one of several types.
            if self._error is None or error is self._error:
                raise
            raise self._error from error
