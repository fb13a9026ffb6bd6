"""Archives that are read without unpacking: their directory tells where each file begins, which is then read there.

A tar that is compressed as a whole can only be read from its start, so it is decompressed once beside the output.
"""

import bz2
import gzip
import lzma
import posixpath
import shutil
import struct
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from data_prep.sources.advice import HEAD_BYTES, no_domains
from data_prep.sources.archives.tars import tar_members
from data_prep.sources.archives.zips import read_zipped, zip_members
from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.folders import ATTRIBUTES_FILE, hidden_kind, place_image, read_attributes
from data_prep.sources.layout import Layout, ValSplit, find_layout
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import is_full
from stargan_tf.data.refusals import describe

_ZIP_SUFFIXES = (".zip",)
_TAR_SUFFIXES = (".tar",)
_COMPRESSED_TAR_SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_COMPRESSIONS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz"}
SUFFIXES = (*_ZIP_SUFFIXES, *_TAR_SUFFIXES, *_COMPRESSED_TAR_SUFFIXES)

_MOST_LOOKED_INTO = 1 << 24  # bytes of a member that is only looked into
_BUFFER = 1 << 20


class ArchiveSource:
    """The images in a zip or tar archive, which holds folders of domains."""

    example_format: ExampleFormat | None = None

    def __init__(self, archive: str, work: str, val_split: ValSplit | None = None, layout: Layout | None = None):
        """Reads the archive's directory.

        Args:
            archive: a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz file.
            work: a folder for the decompressed copy of a compressed tar.
            val_split: which split is the validation set, as of `find_layout`.
            layout: how its folders lie, where that is known.

        Raises:
            UserError: as `list_members` and `FolderSource`.
        """
        self._left_out: Counter[str] = Counter()
        self._members = dict(list_members(archive, work, self._left_out))
        self.ignored: Counter[str] = Counter()
        self._layout = layout or find_layout(self._names, archive, val_split)
        self.domains = self._layout.domains
        self.notes: Sequence[str] = self._layout.notes
        if not self.domains:
            raise UserError(no_domains(archive, self._members, self._left_out, self._read_head))
        self._attributes = {}
        if location := self._members.pop(self._layout.root + ATTRIBUTES_FILE, None):
            self._attributes = read_attributes(read_member(location), f"{archive}/{ATTRIBUTES_FILE}")

    def _read_head(self, name: str) -> bytes:
        return read_member(self._members[name], _MOST_LOOKED_INTO)[:HEAD_BYTES]

    def _names(self, root: str) -> Iterator[str]:
        """Lists a folder in the archive."""
        return (name.removeprefix(root) for name in self._members if name.startswith(root))

    def images(self) -> Iterator[SourceImage]:
        """Lists the images."""
        self.ignored.clear()
        self.ignored.update(self._left_out)
        for name, location in self._members.items():
            if image := place_image(name, self._layout, location, self._attributes, self.ignored):
                yield image


def list_members(archive: str, work: str, ignored: Counter[str]) -> Mapping[str, Location]:
    """Lists the files in an archive, as they would lie on a disk if it were unpacked.

    A link to another file of the archive is a file with the same content. Of several files of one name the last counts.

    Args:
        archive: a file that ends in one of `SUFFIXES`.
        work: a folder for the decompressed copy of a compressed tar.
        ignored: counts what is left out, by a description of it: hidden files, links that lead nowhere ...

    Returns:
        By its path, where each file is; `read_member` reads it.

    Raises:
        UserError: the archive cannot be read, or every file in it is encrypted or compressed by an unknown method.
        OSError: the disk is full.
    """
    place, lower = archive, archive.lower()
    members, links = dict[str, Location](), dict[str, str]()
    try:
        if lower.endswith(_COMPRESSED_TAR_SUFFIXES):
            place = files.join(work, f"archive-{zlib.crc32(archive.encode('utf-8', 'surrogateescape')):08x}.tar")
            _decompress(archive, place)
        for name, found in (zip_members if lower.endswith(_ZIP_SUFFIXES) else tar_members)(place, ignored):
            path = _normalize(name)
            if path is None:
                ignored["files whose names lead out of the archive"] += 1
            elif kind := hidden_kind(path):
                ignored[kind] += 1
            else:
                if members.pop(path, None) or links.pop(path, None):
                    ignored["files that a later one of the same name replaces"] += 1
                if isinstance(found, str):
                    links[path] = found
                else:
                    members[path] = found
    except (
        *(OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
        *(NotImplementedError, ValueError, struct.error),  # which zipfile lets through
    ) as error:
        if is_full(error):
            raise
        raise UserError(f"--input {archive} cannot be read as an archive: {error}{_what_else(archive)}") from error
    return members | _follow(links, members, ignored)


def read_member(location: Location, max_bytes: int | None = None) -> bytes:
    """Reads one file of an archive.

    Args:
        location: where it is.
        max_bytes: the most that is read or decompressed.

    Returns:
        Its content.

    Raises:
        TooLarge: it has more than `max_bytes`.
        OSError: it cannot be read, is damaged, encrypted, or compressed by a method that is not read here.
    """
    limit = sys.maxsize - 1 if max_bytes is None else max_bytes
    with files.open_file(location.path) as file:
        if location.packing == "zipped":
            return read_zipped(file, location, limit)
        if location.size > limit:
            raise files.TooLarge(f"more than {limit:,} bytes")
        file.seek(location.offset)
        data = file.read(location.size)
    if len(data) < location.size:
        raise OSError("the archive ends before the file does")
    return data


def _what_else(archive: str) -> str:
    """What a file is that is no archive of the kind its name says: a page that tells why it was not downloaded ..."""
    lower = archive.lower()
    expected = "a ZIP archive" if lower.endswith(_ZIP_SUFFIXES) else "a tar archive"
    for ending, program in _COMPRESSIONS.items():
        if lower.endswith(ending):
            expected = f"a file compressed by {program}"
    try:
        with files.open_file(archive) as file:
            kind = describe(file.read(HEAD_BYTES))
    except OSError:
        return ""
    if kind == expected:
        return "; it begins as one, so it is damaged or its end is missing" if "archive" in kind else ""
    return "" if "no kind" in kind else f"; it is {kind}{_name_it(kind)}"


def _name_it(kind: str) -> str:
    """What to do with an archive of another kind than its name says."""
    endings = {"a ZIP archive": ".zip", "a tar archive": ".tar"}
    endings |= {f"a file compressed by {program}": f".tar.{end}" for end, program in _COMPRESSIONS.items()}
    return f", whose name should end in {endings[kind]}" if kind in endings else ""


def _normalize(name: str) -> str | None:
    """A member's path without what means nothing in it; None if it leads out of the archive."""
    path = posixpath.normpath(name.lstrip("/") or ".")
    return None if path == ".." or path.startswith("../") else path


def _follow(links: Mapping[str, str], members: Mapping[str, Location], ignored: Counter[str]) -> dict[str, Location]:
    """Finds what links lead to; counts those that lead to no file of the archive."""
    found, folders = dict[str, Location](), set[str]()
    for path in links:
        target = path
        for _ in links:  # A circle is no longer than this.
            if target not in links:
                break
            target = _normalize(links[target]) or ".."
        if target in members:
            found[path] = members[target]
            continue
        folders = folders or {posixpath.dirname(member) for member in members}
        is_folder = any(folder == target or folder.startswith(f"{target}/") for folder in folders)
        ignored["links to folders" if is_folder else "links to what is not in the archive"] += 1
    return found


def _decompress(source: str, destination: str) -> None:
    """Writes a compressed file as it was before."""
    opener = gzip.open if source.lower().endswith("gz") else bz2.open if source.lower().endswith("bz2") else lzma.open
    with files.open_file(source) as packed, opener(packed) as unpacked, files.create(destination) as copy:
        shutil.copyfileobj(unpacked, copy, _BUFFER)
