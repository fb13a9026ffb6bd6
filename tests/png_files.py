"""PNG files put together by hand, for what encoders do not write."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    """A chunk; `wrong` spoils its checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ wrong)


def insert(png: bytes, *chunks: bytes, late: bool = False) -> bytes:
    """A file with chunks added after its header, or before its end."""
    place = len(png) - len(END) if late else len(SIGNATURE) + 25
    return png[:place] + b"".join(chunks) + png[place:]


def png(pixels: np.ndarray, interlaced: bool = False) -> bytes:
    """A file of pixels [height, width] or [height, width, 3], uint8 or uint16."""
    height, width, *channels = pixels.shape
    # Adam7: first column and row, and steps, of each pass.
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(
        b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes()
        for left, top, right, down in (passes if interlaced else ((0, 0, 1, 1),))
        for row in pixels[top::down, left::right]
        if row.size
    )
    kind = 2 if channels else 0
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, kind, 0, 0, interlaced)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + END
