"""TFRecord files: framing and checksums, without TensorFlow.

A record is its length (uint64), the masked CRC-32C of the length, the data, and the masked CRC-32C of the data, all
little-endian (https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import google_crc32c
import numpy as np

HEADER_BYTES = 12
_FOOTER_BYTES = 4

# What is read: bytes, or a read-only view of memory that is used again.
Buffer = TypeVar("Buffer", bytes, memoryview)


class CorruptRecord(ValueError):
    """A record that cannot be read; the message is the reason."""


def frame(data: bytes) -> bytes:
    """Returns one record, ready to be written, of its data."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """Reads all records.

    Args:
        file: open for reading, at its start.

    Yields:
        The data of each record.

    Raises:
        CorruptRecord: with the number of the record, from 0.
    """
    number = 0
    while header := file.read(HEADER_BYTES):
        try:
            length = read_length(header)
            # A wrong length passes its checksum once in four billion, so that this does not ask for absurd memory.
            yield check_data(file.read(length + _FOOTER_BYTES), length)
        except CorruptRecord as error:
            raise CorruptRecord(f"record {number}: {error}") from None
        number += 1


def read_length(header: bytes) -> int:
    """Gives the length of the data that follows a header.

    Args:
        header: the first `HEADER_BYTES` bytes of a record.

    Returns:
        Number of bytes.

    Raises:
        CorruptRecord: the header is cut off or its checksum is wrong.
    """
    if len(header) < HEADER_BYTES:
        raise CorruptRecord("the file ends inside its header")
    if header[8:] != _checksum(header[:8]):
        raise CorruptRecord("the checksum of its length is wrong")
    return struct.unpack("<Q", header[:8])[0]


def check_data(data: Buffer, length: int) -> Buffer:
    """Gives the data of a record.

    Args:
        data: what follows the header: the data and its checksum.
        length: length of the data.

    Returns:
        The data without its checksum; of a view, a view.

    Raises:
        CorruptRecord: it is cut off or its checksum is wrong.
    """
    if len(data) < length + _FOOTER_BYTES:
        raise CorruptRecord("the file ends inside its data")
    if data[length : length + _FOOTER_BYTES] != _checksum(data[:length]):
        raise CorruptRecord("the checksum of its data is wrong")
    return data[:length]


def record_bytes(length: int) -> int:
    """Returns the size in the file of a record with data of some length."""
    return HEADER_BYTES + length + _FOOTER_BYTES


def _checksum(data: bytes | memoryview) -> bytes:
    """CRC-32C, rotated by 15 bits and shifted, so that a checksum of data that holds checksums stays meaningful."""
    # It takes no views, but arrays.
    crc = google_crc32c.value(data if isinstance(data, bytes) else np.frombuffer(data, np.uint8))
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
