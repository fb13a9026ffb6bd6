"""Strips of TIFF images that end too early, which libtiff decodes all the same: what is missing is what was in memory.

Of its codecs, those for fax (TIFF 6.0, 10 and 11) and JPEG do so; the others tell.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
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

_FAX = {2: "tiff_ccitt", 3: "group3", 4: "group4"}
_JPEG = 7
_MOST_TILES = 16  # times the pixels of an image
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
    width, height = tags[IMAGEWIDTH], tags[IMAGELENGTH]  # as stored; the image may be turned already
    tiled = TILEOFFSETS in tags
    piece_width = tags[TILEWIDTH] if tiled else width
    rows = tags[TILELENGTH] if tiled else min(tags.get(ROWSPERSTRIP, height), height)
    if rows * piece_width * len(pieces) > _MOST_TILES * max(1 << 20, width * height):
        raise ValueError("its header is damaged: the tiles are far larger than the image")
    heights = [rows] * len(pieces) if tiled else [min(rows, height - top) for top in range(0, height, rows)]
    if compression == _JPEG:
        # More pieces than heights are further channels, which may be smaller; and a tile may be larger than the image.
        sizes = [(min(piece_width, width), min(each, height)) for each in heights]
        whole = all(map(_has_end, pieces)) and all(map(_has_size, pieces, sizes))
    else:
        whole = _is_whole_fax(tags, pieces[: len(heights)], piece_width, rows, heights[-1])
    whole = whole and len(pieces) >= len(heights)
    if not whole:
        raise ValueError("image file is truncated or damaged: rows of a strip are missing")


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


def _is_whole_fax(tags: Mapping[int, Any], pieces: Sequence[bytes], width: int, rows: int, last_rows: int) -> bool:
    """Whether all rows of strips or tiles come from their bytes: not from what is after them, nor from memory.

    Each is decoded after another strip, once a white one and once a black one, which leaves its rows in memory.
    """
    options = {tag: tags[tag] for tag in (FILLORDER, _T4_OPTIONS, _T6_OPTIONS) if tag in tags}
    is_piece = np.arange((2 * len(pieces) - 1) * rows + last_rows) // rows % 2 == 1
    first = None
    for number, after in enumerate(_AFTERS):
        after = after.translate(_REVERSED_BITS) if options.get(FILLORDER) == 2 else after
        before = _encode_fax(Image.new("1", (width, rows), number % 2), tags[COMPRESSION], options)
        strips = [strip for piece in pieces for strip in (before, piece + after)]
        data = _fax_file(strips, (width, len(is_piece)), rows, {COMPRESSION: tags[COMPRESSION], **options})
        try:
            decoded = np.asarray(Image.open(io.BytesIO(data), formats=("TIFF",)))[is_piece]
        except Exception:  # as Pillow raises for bad files
            return False
        if first is not None and not np.array_equal(first, decoded):
            return False
        first = decoded
    return True


def _encode_fax(image: Image.Image, compression: int, options: Mapping[int, int]) -> bytes:
    """A strip of an image."""
    file = io.BytesIO()
    image.save(
        file,
        "TIFF",
        compression=_FAX[compression],
        tiffinfo={ROWSPERSTRIP: image.height, **options},
        strip_size=1 << 30,
    )
    with Image.open(file, formats=("TIFF",)) as written:
        assert isinstance(written, TiffImagePlugin.TiffImageFile)
        return b"".join(_read_pieces(written))


def _fax_file(strips: Sequence[bytes], size: tuple[int, int], rows: int, options: Mapping[int, int]) -> bytes:
    """A TIFF file of strips, of which each has so many rows."""
    entries: dict[int, Sequence[int]] = {
        IMAGEWIDTH: size[:1],
        IMAGELENGTH: size[1:],
        BITSPERSAMPLE: (1,),
        PHOTOMETRIC_INTERPRETATION: (0,),
        ROWSPERSTRIP: (rows,),
        STRIPOFFSETS: (0,) * len(strips),
        STRIPBYTECOUNTS: [len(strip) for strip in strips],
        **{tag: (value,) for tag, value in options.items()},
    }
    lists_at = 8 + 2 + 12 * len(entries) + 4
    offsets = np.cumsum([lists_at + 2 * 4 * len(strips), *(len(strip) for strip in strips)])[:-1]
    entries[STRIPOFFSETS] = offsets.tolist()
    directory, lists = struct.pack("<H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        # More than one value stand in a list after the directory.
        value = values[0] if len(values) == 1 else lists_at + len(lists)
        directory += struct.pack("<HHII", tag, 4, len(values), value)
        if len(values) > 1:
            lists += struct.pack(f"<{len(values)}I", *values)
    return struct.pack("<2sHI", b"II", 42, 8) + directory + bytes(4) + lists + b"".join(strips)


def _has_end(jpeg: bytes) -> bool:
    return jpeg.rstrip(b"\0").endswith(b"\xff\xd9")


def _has_size(jpeg: bytes, size: tuple[int, int]) -> bool:
    """Whether a JPEG stream has at least so many columns and rows."""
    place = 2
    while place + 9 <= len(jpeg) and jpeg[place] == 0xFF:
        kind, length = struct.unpack_from(">BH", jpeg, place + 1)
        if kind in (0xC0, 0xC1, 0xC2):
            rows, columns = struct.unpack_from(">HH", jpeg, place + 5)
            return columns >= size[0] and rows >= size[1]
        place += 2 + length
    return False
