"""PNG as its chunks, and the same without texts that a decoder of pixels need not read.

https://www.w3.org/TR/png-3/#5DataRep
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_MOST_TEXT = 1 << 20  # Pillow raises an error at a longer one, and at 64 of them in one file
_MOST_TEXTS = 32 * _MOST_TEXT


class Chunk(NamedTuple):
    """A piece of a PNG file.

    Attributes:
        kind: its four letters.
        start: where it begins in the file, in bytes.
        end: where the next one begins.
        content: its bytes.
    """

    kind: bytes
    start: int
    end: int
    content: memoryview


def chunks(data: bytes) -> Iterator[Chunk]:
    """Gives the chunks of a PNG file one by one, up to the end or to what is no chunk; of other files, none."""
    if not data.startswith(_SIGNATURE):
        return
    whole, start = memoryview(data), len(_SIGNATURE)
    while start + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data):
            return
        yield Chunk(kind, start, end, whole[start + 8 : end - 4])
        start = end


def is_intact(data: bytes) -> bool:
    """Tells whether every chunk of a PNG file has the checksum it should have, and the last one is its end."""
    kind = b""
    for kind, _, end, content in chunks(data):
        if zlib.crc32(content, zlib.crc32(kind)) != struct.unpack_from(">I", data, end - 4)[0]:
            return False
        if kind == b"IEND":
            return True
    return False


def without_long_texts(data: bytes) -> bytes:
    """Leaves out texts that Pillow refuses because they are too long, or compressed in a way that it does not know.

    Args:
        data: a file of any kind.

    Returns:
        `data` itself if it has no such texts.
    """
    length, dropped = 0, []
    for chunk in chunks(data):
        if chunk.kind in _TEXTS:
            length += (own := _text_length(chunk))
            if own > _MOST_TEXT or length > _MOST_TEXTS:
                dropped.append(chunk)
    for chunk in reversed(dropped):
        data = data[: chunk.start] + data[chunk.end :]
    return data


def _text_length(chunk: Chunk) -> int:
    """Bytes of a text when it is decompressed, or one more than are allowed; 0 if it does not follow the standard."""
    _, separator, text = bytes(chunk.content).partition(b"\0")
    if chunk.kind == b"tEXt" or not separator:
        return len(text) if chunk.kind == b"tEXt" and len(chunk.content) > _MOST_TEXTS else 0
    if chunk.kind == b"zTXt":
        method, compressed = text[:1], text[1:]
        if method not in (b"", b"\0"):
            return _MOST_TEXT + 1
    else:
        flags, text = text[:2], text[2:]
        if flags != b"\1\0":
            return 0
        compressed = text.split(b"\0", 2)[-1]
    try:
        return len(zlib.decompressobj().decompress(compressed, _MOST_TEXT + 1))
    except zlib.error:
        return 0
