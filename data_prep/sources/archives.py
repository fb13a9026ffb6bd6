"""Archives that are read without unpacking: their directory tells where each image begins, which is then read there.

A tar that is compressed as a whole can only be read from its start, so it is decompressed once beside the output.
"""

import shutil
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.folders import ATTRIBUTES_FILE, Layout, place_image, read_attributes
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

_ZIP_SUFFIXES = (".zip",)
_TAR_SUFFIXES = (".tar",)
_COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SUFFIXES = (*_ZIP_SUFFIXES, *_TAR_SUFFIXES, *_COMPRESSED_TAR_SUFFIXES)

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # Signature, lengths of the name and of an extra field.
_BUFFER = 1 << 20


class ArchiveSource:
    """The images in a zip or tar archive, which holds folders of domains."""

    example_format: ExampleFormat | None = None

    def __init__(self, archive: str, work: str):
        """Reads the archive's directory.

        Args:
            archive: a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file.
            work: a folder for the decompressed copy of a compressed tar.

        Raises:
            UserError: it is damaged or encrypted; else as `FolderSource`.
        """
        self._archive = archive
        try:
            if archive.lower().endswith(_COMPRESSED_TAR_SUFFIXES):
                self._archive = files.join(work, "archive.tar")
                _decompress(archive, self._archive)
            members = _zip_members if archive.lower().endswith(_ZIP_SUFFIXES) else _tar_members
            self._members = dict(members(self._archive))
        except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error) as error:
            raise UserError(f"--input {archive} cannot be read as an archive: {error}") from error
        self.ignored: Counter[str] = Counter()
        self._attributes = {}
        if location := self._members.pop(ATTRIBUTES_FILE, None):
            self._attributes = read_attributes(read_member(location), f"{archive}/{ATTRIBUTES_FILE}")
        self._layout = Layout.of(iter(self._members), archive)
        self.domains = self._layout.domains

    def images(self) -> Iterator[SourceImage]:
        """Lists the images."""
        self.ignored.clear()
        for name, location in self._members.items():
            if any(part.startswith(".") for part in name.split("/")):
                self.ignored["hidden files"] += 1
            elif image := place_image(name, self._layout, location, self._attributes, self.ignored):
                yield image


def read_member(location: Location, max_bytes: int | None = None) -> bytes:
    """Reads one file of an archive.

    Args:
        location: where it is.
        max_bytes: the most that is read or inflated.

    Returns:
        Its content.

    Raises:
        TooLarge: it has more than `max_bytes`.
        OSError: it cannot be read, or is damaged.
    """
    with files.open_file(location.path) as file:
        if location.packing == "stored":
            if max_bytes is not None and location.size > max_bytes:
                raise files.TooLarge(f"more than {max_bytes:,} bytes")
            file.seek(location.offset)
            return file.read(location.size)
        file.seek(_skip_local_header(file, location.offset))
        packed = file.read(location.size if max_bytes is None else min(location.size, max_bytes + 1))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, 0 if max_bytes is None else max_bytes + 1)
    except zlib.error as error:
        raise OSError(f"damaged in the archive: {error}") from error
    if max_bytes is not None and len(data) > max_bytes:
        raise files.TooLarge(f"more than {max_bytes:,} bytes")
    return data


def _zip_members(archive: str) -> Iterator[tuple[str, Location]]:
    """Name and place of every file in a zip archive."""
    with files.open_file(archive) as file, zipfile.ZipFile(file) as opened:
        for member in opened.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                raise zipfile.BadZipFile(f"{member.filename!r} is encrypted")
            if member.compress_type == zipfile.ZIP_STORED:
                offset = _skip_local_header(file, member.header_offset)
                yield member.filename, Location(archive, "stored", offset, member.file_size)
            elif member.compress_type == zipfile.ZIP_DEFLATED:
                yield member.filename, Location(archive, "deflated", member.header_offset, member.compress_size)
            else:
                raise zipfile.BadZipFile(f"{member.filename!r} is compressed by another method than deflate")


def _skip_local_header(file: BinaryIO, offset: int) -> int:
    """Where the data of a zip member begins: its header there has lengths of its own, unlike the directory's."""
    file.seek(offset)
    header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        raise OSError("the archive is damaged: a file in it has no header")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    return offset + _LOCAL_HEADER.size + name_length + extra_length


def _tar_members(archive: str) -> Iterator[tuple[str, Location]]:
    """Name and place of every file in a tar archive without compression."""
    with files.open_file(archive) as file, tarfile.open(fileobj=file, mode="r:") as opened:
        for member in opened:
            if member.isreg():
                yield member.name.removeprefix("./"), Location(archive, "stored", member.offset_data, member.size)
            opened.members.clear()  # type: ignore[attr-defined]  # it keeps all of them otherwise


def _decompress(source: str, destination: str) -> None:
    """Writes a compressed file as it was before."""
    import bz2
    import gzip
    import lzma

    opener = gzip.open if source.lower().endswith("gz") else bz2.open if source.lower().endswith("bz2") else lzma.open
    with files.open_file(source) as packed, opener(packed) as unpacked, files.create(destination) as copy:
        shutil.copyfileobj(unpacked, copy, _BUFFER)
