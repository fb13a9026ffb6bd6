"""An object store like gs:// and s3://: names with slashes, and no folders. Each object is a file of a local folder."""

import os
import urllib.parse
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

_SCHEME = "teststore"


class ObjectStore(FileSystem):
    """Objects at `teststore://LOCAL FOLDER/NAME`, where the local folder has its slashes quoted."""

    @classmethod
    def scheme(cls):
        return _SCHEME

    def _file(self, path: str) -> Path:
        folder, _, name = path.removeprefix(f"{_SCHEME}://").partition("/")
        return Path(urllib.parse.unquote(folder)) / urllib.parse.quote(name, safe="")

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *(path.strip("/") for path in paths)])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        folder, _, prefix = dir_or_prefix.removeprefix(f"{_SCHEME}://").partition("/")
        for file in sorted(Path(urllib.parse.unquote(folder)).iterdir()):
            if (name := urllib.parse.unquote(file.name)).startswith(prefix):
                yield FileMetadata(f"{_SCHEME}://{folder}/{name}", file.stat().st_size)

    def create(self, path, mime_type="", compression_type="auto"):
        return self._file(path).open("wb")

    def open(self, path, mime_type="", compression_type="auto"):
        return self._file(path).open("rb")

    def copy(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            self._file(destination).write_bytes(self._file(source).read_bytes())

    def rename(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            self._file(source).rename(self._file(destination))

    def exists(self, path):
        return self._file(path).exists()

    def size(self, path):
        return self._file(path).stat().st_size

    def last_updated(self, path):
        return self._file(path).stat().st_mtime

    def checksum(self, path):
        return str(self.size(path))

    def metadata(self, path):
        if not self.exists(path):
            raise BeamIOError(f"there is no {path}")
        return FileMetadata(path, self.size(path))

    def delete(self, paths):
        for path in paths:
            self._file(path).unlink()


def address(folder: Path) -> str:
    """Returns the address of a store in a local folder."""
    return f"{_SCHEME}://{urllib.parse.quote(os.fspath(folder), safe='')}"


def objects(folder: Path) -> dict[str, bytes]:
    """Returns the content of all objects of a store, by name."""
    return {urllib.parse.unquote(file.name): file.read_bytes() for file in folder.iterdir()}
