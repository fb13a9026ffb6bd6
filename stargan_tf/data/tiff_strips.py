"""Strips of TIFF images that end too early, which libtiff decodes all the same: what is missing is what was in memory.

Of its codecs, those for fax (TIFF 6.0, 10 and 11) and JPEG do so; the others tell.
"""

import io
import struct
from collections.abc import Sequence

from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    FILLORDER,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    ROWSPERSTRIP,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
)

_FAX, _JPEG = (2, 3, 4), 7
_T4_OPTIONS, _T6_OPTIONS = 292, 293
# What is added to strips: in the codes of Group 4 the same row again, and rows whose edges move; in those of the others
# rows that are partly black.
_AFTERS = (b"\xff" * 64, b"\x49\x24\x92" * 64, b"\0\x19\xa8\x1e" * 64)
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def check_whole(image: TiffImagePlugin.TiffImageFile) -> None:
    """Finds out whether the data of an image are enough for all of its rows.

    Args:
        image: of which the header was read.

    Raises:
        ValueError: they are not, or it is not sure how many these are.
    """
    tags = image.tag_v2
    for tag in (PLANAR_CONFIGURATION, PHOTOMETRIC_INTERPRETATION, SAMPLESPERPIXEL):
        # Where a number is of another type, Pillow and libtiff read it differently, and so the size of what is decoded.
        if not isinstance(tags.get(tag, 1), int):
            raise ValueError(f"its header is damaged: tag {tag} is no number")
    compression = tags.get(COMPRESSION)
    if compression not in (*_FAX, _JPEG) or image.fp is None:
        return
    place = image.fp.tell()
    pieces = _read_pieces(image)
    image.fp.seek(place)
    if not pieces:
        return
    if compression == _JPEG:
        rows = min(tags.get(TILELENGTH, tags.get(ROWSPERSTRIP, image.height)), image.height)
        last = image.height % rows or rows
        heights = [rows if TILEOFFSETS in tags or piece is not pieces[-1] else last for piece in pieces]
        whole = all(_is_whole_jpeg(piece, height) for piece, height in zip(pieces, heights, strict=True))
    else:
        # A decoder that has all rows does not look at what comes after them.
        turned = tags.get(FILLORDER) == 2
        afters = [after.translate(_REVERSED_BITS) if turned else after for after in _AFTERS]
        first, *others = (_decode_fax(image, [piece + after for piece in pieces]) for after in afters)
        whole = first is not None and all(other == first for other in others)
    if not whole:
        raise ValueError("image file is truncated: a strip has fewer bytes than its rows need")


def _read_pieces(image: TiffImagePlugin.TiffImageFile) -> list[bytes]:
    """The strips or tiles as they are in the file; none if the file does not tell how long they are."""
    tags, file = image.tag_v2, image.fp
    assert file is not None
    offsets = tags.get(STRIPOFFSETS) or tags.get(TILEOFFSETS) or ()
    counts = tags.get(STRIPBYTECOUNTS) or tags.get(TILEBYTECOUNTS) or ()
    pieces = []
    for offset, count in zip(offsets, counts, strict=False):
        file.seek(offset)
        pieces.append(file.read(count))
    return pieces


def _decode_fax(image: TiffImagePlugin.TiffImageFile, pieces: Sequence[bytes]) -> bytes | None:
    """The pixels of an image with other strips or tiles; None if it cannot be decoded."""
    tags = image.tag_v2
    tiled = TILEOFFSETS in tags
    entries: dict[int, Sequence[int]] = {
        **{tag: (tags[tag],) for tag in (COMPRESSION, IMAGEWIDTH, IMAGELENGTH)},
        BITSPERSAMPLE: (1,),
        PHOTOMETRIC_INTERPRETATION: (0,),
        TILEOFFSETS if tiled else STRIPOFFSETS: (0,) * len(pieces),
        TILEBYTECOUNTS if tiled else STRIPBYTECOUNTS: [len(piece) for piece in pieces],
    }
    optional = (FILLORDER, _T4_OPTIONS, _T6_OPTIONS, *((TILEWIDTH, TILELENGTH) if tiled else (ROWSPERSTRIP,)))
    entries |= {tag: (tags[tag],) for tag in optional if tag in tags}
    head = 8 + 2 + 12 * len(entries) + 4
    place = head + 4 * 2 * len(pieces)  # after the directory and both lists
    offsets = []
    for piece in pieces:
        offsets.append(place)
        place += len(piece)
    entries[TILEOFFSETS if tiled else STRIPOFFSETS] = offsets
    directory, lists = struct.pack("<H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        if len(values) == 1:
            directory += struct.pack("<HHII", tag, 4, 1, values[0])
        else:
            directory += struct.pack("<HHII", tag, 4, len(values), head + len(lists))
            lists += struct.pack(f"<{len(values)}I", *values)
    lists = lists.ljust(place - sum(map(len, pieces)) - head, b"\0")
    data = struct.pack("<2sHI", b"II", 42, 8) + directory + bytes(4) + lists + b"".join(pieces)
    try:
        return Image.open(io.BytesIO(data), formats=("TIFF",)).tobytes()
    except Exception:  # as Pillow raises for bad files
        return None


def _is_whole_jpeg(data: bytes, rows: int) -> bool:
    """Whether a JPEG stream has its end, and as many rows as it should."""
    if not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        return False
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        kind, length = struct.unpack_from(">BH", data, place + 1)
        if kind in (0xC0, 0xC1, 0xC2):
            return struct.unpack_from(">H", data, place + 5)[0] >= rows
        place += 2 + length
    return False
