"""Zip archives: what is in them, and how a file in one is read by its own header, without the archive's directory."""

import bz2
import contextlib
import lzma
import posixpath
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from data_prep.sources.base import Location
from stargan_tf.base import files

_LOCAL_HEADER = struct.Struct("<4s2xHH16xHH")  # Signature, flags, method, lengths of the name and of an extra field.
_ENCRYPTED, _UTF_8 = 1, 1 << 11  # Flags.
# Methods of section 4.4.5 of the format's description (APPNOTE.TXT) that are met, and not read here.
_OTHER_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_MOST_DICTIONARY = 1 << 28  # bytes of memory that a member compressed by LZMA may ask for
_LONGEST_TARGET = 4096  # bytes of a link's target, as Linux has it
_MS_DOS = 0  # the system of archives whose names may have backslashes


def zip_members(archive: str, ignored: Counter[str]) -> Iterator[tuple[str, Location | str]]:
    """Lists the files and links in a zip archive.

    Args:
        archive: the archive.
        ignored: counts what is neither, by a description of it; here, nothing is.

    Yields:
        The name of each, and where the file is, or what the link leads to.

    Raises:
        BadZipFile: it is none, or no file in it can be read.
    """
    with files.open_file(archive) as file, zipfile.ZipFile(file) as opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        _check_readable([member for member in members if member.file_size])
        for member in members:
            name = member.filename
            if not member.flag_bits & _UTF_8:
                # In the letters of MS-DOS, by which zipfile goes; or in UTF-8 all the same, as macOS writes it.
                with contextlib.suppress(UnicodeError):
                    name = name.encode("cp437").decode()
            if member.create_system == _MS_DOS:
                name = name.replace("\\", "/")  # Unlike all others, some programs on Windows write backslashes.
            location = Location(archive, "zipped", member.header_offset, member.compress_size, member.CRC)
            if stat.S_ISLNK(member.external_attr >> 16):
                target = ""  # if it cannot be read
                with contextlib.suppress(OSError):
                    target = read_zipped(file, location, _LONGEST_TARGET).decode("utf-8", "surrogateescape")
                yield name, posixpath.join(posixpath.dirname(name), target) if target else ".."
            elif not name.endswith("/"):
                yield name, location


def _check_readable(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuses an archive of which nothing can be read, before long work."""
    problems = {_unreadable(member.flag_bits, member.compress_type) for member in members}
    if members and None not in problems:
        raise zipfile.BadZipFile(f"every file in it is {problems.pop()}")


def read_zipped(file: BinaryIO, location: Location, limit: int) -> bytes:
    """Reads a file in a zip archive.

    Args:
        file: the archive.
        location: where the file is in it.
        limit: the most bytes that are decompressed.

    Returns:
        Its content.

    Raises:
        TooLarge: it has more than `limit` bytes.
        OSError: it is damaged, encrypted, or compressed by a method that is not read here.
    """
    file.seek(location.offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise OSError("the archive is damaged: a file in it has no header")
    _, flags, method, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    if problem := _unreadable(flags, method):
        raise OSError(problem)
    file.seek(name_length + extra_length, 1)  # Lengths of its own, unlike the directory's.
    # What cannot be compressed grows, by less than this.
    packed = file.read(min(location.size, limit + limit // 50 + 1000))
    data = packed if method == zipfile.ZIP_STORED else _unpack(packed, method, limit + 1)
    if len(data) > limit:
        raise files.TooLarge(f"more than {limit:,} bytes")
    if location.checksum is not None and zlib.crc32(data) != location.checksum:
        raise OSError("damaged in the archive: its checksum is another than the archive's directory says")
    return data


def _unpack(packed: bytes, method: int, most: int) -> bytes:
    """Decompresses at most so many bytes."""
    try:
        if method == zipfile.ZIP_LZMA:
            # As in a file of LZMA alone, but for the length, of which all ones mean that an end is marked.
            properties = packed[4 : 4 + int.from_bytes(packed[2:4], "little")]
            packed = properties + b"\xff" * 8 + packed[4 + len(properties) :]
        return _decompressor(method).decompress(packed, most)
    except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise OSError(f"damaged in the archive: {error}") from error


def _decompressor(method: int) -> Any:
    if method == zipfile.ZIP_DEFLATED:
        return zlib.decompressobj(-zlib.MAX_WBITS)
    if method == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MOST_DICTIONARY)


def _unreadable(flags: int, method: int) -> str | None:
    """Why a member of a zip cannot be read, if so."""
    if flags & _ENCRYPTED:
        return "encrypted; unpack the archive with its password, and name the folder"
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        name = _OTHER_METHODS.get(method, f"method {method}")
        return f"compressed by {name}, which is not read here; unpack the archive, and name the folder"
    return None
