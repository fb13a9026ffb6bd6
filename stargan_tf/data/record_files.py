"""Reads the records of TFRecord files by number: one scan of the headers, then every record by its offset.

The page cache of the system serves the reads, so that nothing is held in memory but 16 bytes a record.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.data.tfrecord import HEADER_BYTES, CorruptRecord, check_data, read_length, record_bytes

# Stand for the size of a record whose header is damaged, or that cannot be found since the file is damaged before it.
_DAMAGED, _HIDDEN = -1, -2


class Place(NamedTuple):
    """Where a record is.

    Attributes:
        file: path of the file.
        number: which record of the file, from 0.
        offset: where it begins in the file, in bytes; None if a damage before it hides it.
    """

    file: str
    number: int
    offset: int | None

    def __str__(self) -> str:
        at = "an unknown byte" if self.offset is None else f"byte {self.offset}"
        return f"record {self.number} of {self.file} (at {at})"


class RecordFiles:
    """The records of several TFRecord files, counted through; threads may share it.

    Args:
        paths: the files, local or remote, see `stargan_tf.base.files`.
        lengths: how many records each of them has.

    Raises:
        UserError: a file is missing or has more records.
    """

    def __init__(self, paths: Sequence[str], lengths: Sequence[int]):
        self._paths = tuple(paths)
        self._first = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._offsets = np.zeros(len(self), np.int64)
        self._files = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        self._sizes = np.full(len(self), _HIDDEN, np.int32)  # of the data, without header and footer
        with Progress(len(self), "indexing", "records", keep=False, delay=2) as bar:
            for path, first, length in zip(self._paths, self._first, lengths, strict=False):
                self._index(path, first, length)
                bar.update(length)

    def __len__(self) -> int:
        return int(self._first[-1])

    def damaged(self) -> list[int]:
        """Returns the numbers of the records known to be lost, since a length is wrong or a file is short."""
        return np.flatnonzero(self._sizes < 0).tolist()

    def place(self, number: int) -> Place:
        """Tells where a record is.

        Args:
            number: which record, from 0 on through all files.

        Returns:
            Its place.
        """
        file = int(self._files[number])
        offset = None if self._sizes[number] == _HIDDEN else int(self._offsets[number])
        return Place(self._paths[file], int(number - self._first[file]), offset)

    @property
    def largest(self) -> int:
        """The most memory that reading a record takes, in bytes."""
        return record_bytes(max(0, int(self._sizes.max(initial=0))))

    def read(self, number: int, memory: memoryview | None = None) -> memoryview:
        """Reads one record.

        Args:
            number: which record, from 0 on through all files.
            memory: at least `largest` bytes to read into, which saves the time that fresh memory takes; by default new
                memory.

        Returns:
            A read-only view of the data of the record, whose checksums were verified; valid until `memory` is used
            again.

        Raises:
            CorruptRecord: it is damaged.
        """
        size = int(self._sizes[number])
        if size == _DAMAGED:
            raise CorruptRecord("its length is damaged or beyond the end of the file")
        if size == _HIDDEN:
            raise CorruptRecord("it cannot be found, since the file is damaged before it, or too short")
        start, rest = int(self._offsets[number]) + HEADER_BYTES, record_bytes(size) - HEADER_BYTES
        if memory is None:
            memory = memoryview(bytearray(rest))
        try:
            data = files.read_range(self._paths[self._files[number]], start, rest, memory)
        except OSError as error:
            raise CorruptRecord(f"it cannot be read: {error.strerror or error}") from error
        return check_data(data, size)  # a file that has changed meanwhile does not pass this either

    def _index(self, path: str, first: int, length: int) -> None:
        """Notes where the records of one file are."""
        try:
            end = files.size(path)
            with files.open_file(path, buffered=False) as file:
                offset = 0
                for number in range(first, first + length):
                    if offset >= end:
                        return
                    self._offsets[number] = offset
                    file.seek(offset)
                    size = _length(file.read(HEADER_BYTES))
                    following = offset + record_bytes(size or 0)
                    if size is None or following > end:
                        self._sizes[number] = _DAMAGED
                        return
                    self._sizes[number] = size
                    offset = following
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror or error}); restore it, or prepare the data anew"
            ) from error
        if offset < end:
            raise UserError(f"{path} has more than the {length} records that the data's metadata tells of")


def _length(header: bytes) -> int | None:
    """Returns the length that a header tells, None if it is damaged or absurd."""
    try:
        length = read_length(header)
    except CorruptRecord:
        return None
    return length if length < 2**31 else None
