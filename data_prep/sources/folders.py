"""Folders of domains: as they lie on a file system, or as the names in an archive tell."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from data_prep.sources.advice import HEAD_BYTES, advice, no_domains
from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.layout import Layout, ValSplit, find_layout, is_image
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

ATTRIBUTES_FILE = "attributes.jsonl"
# Folders that macOS's archives, network drives and Windows put beside images, some with thumbnails of them.
_SYSTEM_FOLDERS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")


class FolderSource:
    """Images in one folder for each domain, at any depth; hidden files and empty folders are ignored."""

    example_format: ExampleFormat | None = None

    def __init__(
        self,
        folder: str,
        val_split: ValSplit | None = None,
        follow_links: bool = False,
        layout: Layout | None = None,
    ):
        """Looks which domains there are.

        Args:
            folder: holds a folder for each domain, in folders of splits or with such folders in them.
            val_split: which split is the validation set, as of `find_layout`.
            follow_links: whether links to folders are followed.
            layout: how its folders lie, where that is known.

        Raises:
            UserError: as `find_layout`, no domains, or a malformed file of attributes.
        """
        self._folder, self._follow_links = folder, follow_links
        self._layout = layout or find_layout(self._visible_names, folder, val_split)
        self.domains = self._layout.domains
        self.notes: Sequence[str] = self._layout.notes
        self.ignored: Counter[str] = Counter()
        if not self.domains:
            names = files.list_files(folder, self.ignored, follow_links)
            raise UserError(no_domains(folder, names, self.ignored, self._read_head))
        attributes = files.join(folder, self._layout.root + ATTRIBUTES_FILE)
        self._attributes = read_attributes(files.read(attributes), attributes) if files.exists(attributes) else {}

    def _visible_names(self, root: str) -> Iterator[str]:
        """Lists a folder in the source's."""
        names = files.list_files(files.join(self._folder, root), follow_links=self._follow_links)
        return (name for name in names if not hidden_kind(name))

    def _read_head(self, name: str) -> bytes:
        with files.open_file(files.join(self._folder, name)) as file:
            return file.read(HEAD_BYTES)

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        for name in files.list_files(self._folder, self.ignored, self._follow_links):
            if name == self._layout.root + ATTRIBUTES_FILE:
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
        attributes: what is known of images, by path relative to the root of the layout.
        ignored: counts what is no image, or in no domain.

    Returns:
        The image, or None.
    """
    placed = layout.place(name)
    if not is_image(name):
        _, dot, ending = name.rpartition("/")[2].lower().rpartition(".")
        if not ending.isprintable():
            ending = ending.encode("unicode_escape").decode()  # for terminals, and for bytes that are not UTF-8
        kind = f"files ending in .{ending}" if dot else "files without an ending"
        if advice(name) and not isinstance(placed, str) and placed[0] not in layout.domains:
            kind += f" in the folder {placed[0]!r}, where no images are that can be read"
        ignored[kind] += 1
        return None
    if isinstance(placed, str):
        ignored[placed] += 1
        return None
    return SourceImage(printable(name), *placed, location, attributes.get(name.removeprefix(layout.root), "{}"))


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


def count_others(folder: str, is_known: Callable[[str], bool], ignored: Counter[str]) -> None:
    """Counts the files of a folder that are no part of what was listed otherwise.

    Args:
        folder: the folder.
        is_known: tells by its relative path whether a file is a part.
        ignored: counts the others, by a description.
    """
    for name in files.list_files(folder, ignored):
        if not is_known(name):
            ignored[hidden_kind(name) or ("images that nothing names" if is_image(name) else "other files")] += 1


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
