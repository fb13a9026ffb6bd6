"""Folders of domains: as they lie on a file system, or as the names in an archive tell."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_prep.sources.base import ExampleFormat, Location, SourceImage
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import IMAGE_SUFFIXES
from stargan_tf.data.records import SUBSETS

ATTRIBUTES_FILE = "attributes.jsonl"
# Folders that macOS's archives, network drives and Windows put beside images, some with thumbnails of them.
_SYSTEM_FOLDERS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")


@dataclass(frozen=True)
class Layout:
    """How the domains lie: `train/DOMAIN/` and `val/DOMAIN/`, only `train/DOMAIN/`, or only `DOMAIN/`.

    Args:
        domains: names of the domains, sorted.
        has_train: whether the domains are in a folder called train.
        has_val: whether there is a folder called val too; if not, a hash splits the images.
    """

    domains: tuple[str, ...]
    has_train: bool
    has_val: bool

    @classmethod
    def of(cls, names: Iterator[str], place: str) -> "Layout":
        """Finds out how domains lie.

        Args:
            names: relative paths of files.
            place: where they are, for errors.

        Returns:
            The layout.

        Raises:
            UserError: no domains, or `val` without `train`, or a domain that is in `val` only.
        """
        folders = set[tuple[str, str]]()  # The first two folders above each image, a few for each domain.
        for name in names:
            if _is_image(name):
                first, second, *_ = [*name.split("/")[:-1], "", ""]
                folders.add((first, second))
        train, val = ({second for first, second in folders if first == subset and second} for subset in SUBSETS)
        if val and not train:
            raise UserError(f"--input {place} has a folder val but no images in one called train")
        for domain in sorted(val - train):
            raise UserError(
                f"domain {domain!r} is in {place}/val but not in {place}/train; the domains of training must cover it"
            )
        domains = train or {first for first, _ in folders if first}
        return cls(tuple(sorted(domains)), bool(train), bool(val))

    def place(self, name: str) -> tuple[str, str] | None:
        """Tells domain and subset of an image from its relative path; None if it is in no domain."""
        parts = name.split("/")
        if not self.has_train:
            return (parts[0], "") if len(parts) > 1 else None
        if len(parts) < 3 or parts[0] not in SUBSETS:
            return None
        return parts[1], parts[0] if self.has_val else ""


class FolderSource:
    """Images in one folder for each domain, at any depth; hidden files and empty folders are ignored."""

    example_format: ExampleFormat | None = None
    notes: Sequence[str] = ()

    def __init__(self, folder: str):
        """Looks which domains there are.

        Args:
            folder: holds `train/DOMAIN/` and `val/DOMAIN/`, or `DOMAIN/` alone.

        Raises:
            UserError: as `Layout.of`, or a malformed file of attributes.
        """
        self._folder = folder
        self._layout = Layout.of((name for name in files.list_files(folder) if not hidden_kind(name)), folder)
        self.domains = self._layout.domains
        self.ignored: Counter[str] = Counter()
        attributes = files.join(folder, ATTRIBUTES_FILE)
        self._attributes = read_attributes(files.read(attributes), attributes) if files.exists(attributes) else {}

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        for name in files.list_files(self._folder, self.ignored):
            if name == ATTRIBUTES_FILE:
                continue
            if kind := hidden_kind(name):
                self.ignored[kind] += 1
                continue
            location = Location(files.join(self._folder, name))
            if image := place_image(name, self._layout, location, self._attributes, self.ignored):
                yield image


def place_image(
    name: str, layout: Layout, location: Location, attributes: dict[str, str], ignored: Counter[str]
) -> SourceImage | None:
    """Makes a file an image of its domain.

    Args:
        name: its relative path.
        layout: how the domains lie.
        location: where its bytes are.
        attributes: what is known of images, by relative path.
        ignored: counts what is no image, or in no domain.

    Returns:
        The image, or None.
    """
    if not _is_image(name):
        ending = name.rpartition("/")[2].rpartition(".")
        ignored[f"files ending in .{ending[2].lower()}" if ending[1] else "files without an ending"] += 1
        return None
    placed = layout.place(name)
    if placed is None:
        ignored["images outside the folders of domains"] += 1
        return None
    return SourceImage(printable(name), *placed, location, attributes.get(name, "{}"))


def hidden_kind(name: str) -> str | None:
    """Tells whether a file is one that users do not see.

    Args:
        name: its relative path.

    Returns:
        What files of its kind are called; None if it is not hidden.
    """
    for part in name.split("/"):
        if part in _SYSTEM_FOLDERS:
            return f"files in folders called {part}"
        if part.startswith("."):
            return "hidden files"
    return None


def printable(name: str) -> str:
    """Returns a name as valid Unicode: bytes of a file name that are not UTF-8 become `\\udcXX`, as text."""
    return name.encode("utf-8", "backslashreplace").decode()


def read_attributes(content: bytes, file: str) -> dict[str, str]:
    """Reads what is known of images.

    Args:
        content: of a file with lines like `{"path": "train/cat/1.jpg", "attributes": {"hue": 0.2}}`.
        file: its name, for errors.

    Returns:
        JSON objects as text with sorted names, by path.

    Raises:
        UserError: a line has another form.
    """
    attributes = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        try:
            entry = json.loads(line)
            if not isinstance(entry["path"], str) or not isinstance(entry["attributes"], dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'line {number} of {file} is not of the form {{"path": "...", "attributes": {{...}}}}: {line[:80]!r}'
            ) from None
        attributes[entry["path"]] = json.dumps(entry["attributes"], sort_keys=True)
    return attributes


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)
