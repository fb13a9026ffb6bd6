"""Tar archives: what is in them."""

import posixpath
import tarfile
from collections import Counter
from collections.abc import Iterator

from data_prep.sources.base import Location
from stargan_tf.base import files

_BUFFER = 1 << 20


def tar_members(archive: str, ignored: Counter[str]) -> Iterator[tuple[str, Location | str]]:
    """Lists the files and links in a tar archive.

    Args:
        archive: the archive, which is not compressed.
        ignored: counts what is neither, by a description of it.

    Yields:
        The name of each, and where the file is, or what the link leads to.

    Raises:
        TarError: it is none, or damaged.
    """
    with files.open_file(archive) as file, tarfile.open(fileobj=file, mode="r:") as opened:
        for member in opened:
            if member.issparse():
                ignored["files with gaps, which tar calls sparse"] += 1
            elif member.isreg():
                yield member.name, Location(archive, "stored", member.offset_data, member.size)
            elif member.islnk():
                yield member.name, member.linkname
            elif member.issym():
                yield member.name, posixpath.join(posixpath.dirname(member.name), member.linkname)
            elif not member.isdir():
                ignored["devices and pipes"] += 1
            opened.members.clear()  # type: ignore[attr-defined]  # it keeps all of them otherwise
        # The library takes a header that is cut or damaged for the end, which a block of zeros marks.
        file.seek(opened.offset)  # type: ignore[attr-defined]
        end = file.read(tarfile.BLOCKSIZE)
        if not end:  # as some programs leave it; or it was cut between two files
            ignored["archives without the mark of their end, where files may be missing"] += 1
        if end.strip(b"\0"):
            raise tarfile.ReadError(f"the header at byte {opened.offset} is damaged, or cut")  # type: ignore[attr-defined]
        while block := file.read(_BUFFER):
            if block.strip(b"\0"):
                ignored["archives behind the end of the first (`tar --ignore-zeros` unpacks them, too)"] += 1
                break
