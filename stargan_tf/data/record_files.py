"""Reads the records of TFRecord files by number: one scan of the headers, then every record by its offset.

A record is its length (8 bytes), the length's checksum (4), the data, and the data's checksum (4), all little endian;
a checksum is a masked CRC32C (https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details"). The
page cache of the system serves the reads, so that nothing is held in memory but 12 bytes a record.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import google_crc32c
import numpy as np
from tqdm import tqdm

from stargan_tf.errors import UserError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


class CorruptRecord(ValueError):
    """A record that cannot be read; the message is the reason."""


class Place(NamedTuple):
    """Where a record is.

    Args:
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
        paths: the files, local or of any file system that TensorFlow knows (`gs://...`).
        lengths: how many records each of them has.

    Raises:
        UserError: a file is missing or has more records.
    """

    def __init__(self, paths: Sequence[str], lengths: Sequence[int]):
        self._paths = tuple(paths)
        self._first = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._offsets = np.zeros(len(self), np.int64)
        # Of the data, without header and footer; -1: the header is damaged; -2: it cannot be found.
        self._sizes = np.full(len(self), -2, np.int32)
        with tqdm(total=len(self), desc="indexing records", unit="record", delay=2, leave=False, disable=None) as bar:
            for path, first, length in zip(self._paths, self._first, lengths, strict=False):
                self._index(path, first, length)
                bar.update(length)

    def __len__(self) -> int:
        return int(self._first[-1])

    def damaged(self) -> list[int]:
        """Returns the numbers of the records that are known to be lost, since lengths are wrong or a file is short."""
        return np.flatnonzero(self._sizes < 0).tolist()

    def place(self, number: int) -> Place:
        """Tells where a record is.

        Args:
            number: which record, from 0 on through all files.

        Returns:
            Its place.
        """
        file = int(np.searchsorted(self._first, number, side="right")) - 1
        offset = None if self._sizes[number] == -2 else int(self._offsets[number])
        return Place(self._paths[file], int(number - self._first[file]), offset)

    def read(self, number: int) -> bytes:
        """Reads one record.

        Args:
            number: which record, from 0 on through all files.

        Returns:
            The data of the record, whose checksums are right.

        Raises:
            CorruptRecord: it is damaged.
        """
        place, size = self.place(number), int(self._sizes[number])
        if size == -1:
            raise CorruptRecord("its length is damaged or beyond the end of the file")
        if size == -2:
            raise CorruptRecord("it cannot be found, since the file is damaged before it, or too short")
        try:
            record = _read(place.file, place.offset, _HEADER.size + size + _FOOTER.size)
        except OSError as error:
            raise CorruptRecord(f"it cannot be read: {error.strerror or error}") from error
        if len(record) < _HEADER.size + size + _FOOTER.size:
            raise CorruptRecord("the file ends within it")
        if _length(record[: _HEADER.size]) != size:
            raise CorruptRecord("its length is damaged")
        data = record[_HEADER.size : -_FOOTER.size]
        if _FOOTER.unpack(record[-_FOOTER.size :])[0] != _masked_crc(data):
            raise CorruptRecord("its checksum is wrong")
        return data

    def _index(self, path: str, first: int, length: int) -> None:
        """Notes where the records of one file are."""
        try:
            file, end = _open(path)
        except OSError as error:
            raise UserError(
                f"{path} cannot be opened ({error.strerror or error}); restore it, or prepare the data anew"
            ) from error
        with file:
            offset = 0
            for number in range(first, first + length):
                if offset >= end:
                    return
                self._offsets[number] = offset
                file.seek(offset)
                size = _length(file.read(_HEADER.size))
                following = offset + _HEADER.size + (size or 0) + _FOOTER.size
                if size is None or following > end:
                    self._sizes[number] = -1
                    return
                self._sizes[number] = size
                offset = following
        if offset < end:
            raise UserError(f"{path} has more than the {length} records that the data's metadata tells of")


def _is_local(path: str) -> bool:
    return "://" not in path


def _open(path: str):
    """Opens a file to be scanned; returns it and its size in bytes."""
    if _is_local(path):
        # Unbuffered: a buffer would read 8 kB for every header of 12 bytes.
        return Path(path).open("rb", buffering=0), Path(path).stat().st_size
    import tensorflow as tf

    try:
        return tf.io.gfile.GFile(path, "rb"), tf.io.gfile.stat(path).length
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def _read(path: str, offset: int, size: int) -> bytes:
    # Opening costs 10 microseconds, and no number of files can then exceed what the system allows to be open.
    if _is_local(path):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(file, size, offset)
        finally:
            os.close(file)
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(offset)
            return file.read(size)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def _length(header: bytes) -> int | None:
    """Returns the length that a header tells, None if it is damaged."""
    if len(header) < _HEADER.size:
        return None
    length, crc = _HEADER.unpack(header)
    return length if crc == _masked_crc(header[:8]) and length < 2**31 else None


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
