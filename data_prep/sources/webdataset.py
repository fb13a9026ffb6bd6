"""WebDataset: tar files in which the files of a sample stand together, KEY.jpg and KEY.cls or KEY.json.

https://github.com/webdataset/webdataset#the-webdataset-format
"""

import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from data_prep.sources.archives import list_members
from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.folders import count_others, printable
from data_prep.sources.split_files import choose_subsets
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress
from stargan_tf.data.images import IMAGE_SUFFIXES

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_LABEL = "label"
_DELAY = 2.0  # seconds before a bar appears
_NO_LABEL = "-1"
_MOST_BYTES = 1 << 20  # of a label
_LOOKED_AT = 32  # members, to tell WebDataset from an archive of folders


class WebDataset:
    """The images in shards, with their labels as domains."""

    example_format: ExampleFormat | None = None

    def __init__(
        self,
        shards: Sequence[str],
        folder: str,
        label: str | None,
        val_split: str | None,
        work: str,
        whole: bool = False,
    ):
        """Reads the labels.

        Args:
            shards: tar files, relative to a folder; their names, or those of folders, tell the splits.
            folder: the folder.
            label: a field of the samples' JSON, which is then taken and not .cls; by default .cls, or else "label".
            val_split: as of `choose_subsets`.
            work: a folder for decompressed copies.
            whole: whether the folder is the input, whose other files are then counted.

        Raises:
            UserError: a shard cannot be read, or an image in one has no label.
        """
        self._label = label
        self.ignored: Counter[str] = Counter()
        subsets, self.notes = choose_subsets(shards, folder, val_split)
        # As lines, which take less memory: a shard that is compressed, or far away, is read from its start once only.
        self._images, domains = list[str](), set[str]()
        with Progress(len(subsets), "reading labels", "shards", keep=False, delay=_DELAY) as progress:
            for shard, subset in subsets.items():
                for image in self._read(shard, files.join(folder, shard), subset, work):
                    self._images.append(image.to_json())
                    domains.add(image.domain)
                progress.update()
        if whole:
            count_others(folder, set(shards).__contains__, self.ignored)
        self.domains = tuple(sorted(domains))

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one shard after the other."""
        return map(SourceImage.from_json, self._images)

    def _read(self, shard: str, path: str, subset: str | None, work: str) -> Iterator[SourceImage]:
        """Reads the labels of a shard."""
        members = list_members(path, work, self.ignored)
        images = [name for name in members if name.lower().endswith(IMAGE_SUFFIXES)]
        keys = {_key(name) for name in images}
        if others := sum(1 for name in members if _key(name) not in keys):
            self.ignored["files of samples without an image"] += others
        if subset is None or not images:
            self.ignored["images of other splits"] += len(images)
            return
        with files.open_file(members[images[0]].path) as file:  # `path`, or what it was decompressed to
            for name in images:
                domain = self._read_label(file, f"{name} in {shard}", _key(name), members)
                if domain == _NO_LABEL:
                    self.ignored[f"images without a label ({_NO_LABEL})"] += 1
                else:
                    yield SourceImage(f"{shard}/{printable(name)}", domain, subset, members[name])

    def _read_label(self, file: BinaryIO, where: str, key: str, members: Mapping[str, Location]) -> str:
        """The label of an image, from the file beside it."""
        if self._label is None and (location := members.get(f"{key}.cls")):
            text = _read_text(file, location, where)
        elif location := members.get(f"{key}.json"):
            field = self._label or _LABEL
            try:
                text = json.loads(_read_text(file, location, where))[field]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise UserError(f"the JSON of {where} has no {field!r}; name its field by --label_column") from None
            if not isinstance(text, (str, int, float)):
                raise UserError(f"{field!r} of {where} is no text or number but a {type(text).__name__}")
        else:
            raise UserError(f"{where} has no label: there is no {key}.json" + (f" or {key}.cls" * (not self._label)))
        if not (text := str(text).strip()):
            raise UserError(f"the label of {where} is empty")
        return text


def is_webdataset(archive: str, in_folders: bool = False) -> bool:
    """Tells WebDataset from an archive of folders, by its first members.

    Args:
        archive: the file.
        in_folders: whether JSON beside images in folders is taken for labels: people keep what else they know of an
            image in such files, too, and folders may be domains.

    Returns:
        Whether it is a tar file with labels beside images.
    """
    if not archive.lower().endswith(SUFFIXES):
        return False
    names = list[str]()
    try:
        with files.open_file(archive) as file, tarfile.open(fileobj=file, mode="r|*") as opened:
            for member, _ in zip(opened, range(_LOOKED_AT), strict=False):
                names += [member.name.removeprefix("./")] if member.isreg() else []
    except (tarfile.TarError, OSError, EOFError, TypeError, zlib.error):  # TypeError: of a gzip header that is cut
        return False  # whoever reads it says so
    keys = {_key(name) for name in names if name.lower().endswith(IMAGE_SUFFIXES)}
    labels = (
        name for name in names if name.endswith(".cls") or (name.endswith(".json") and (in_folders or "/" not in name))
    )
    return any(_key(name) in keys for name in labels)


def _key(name: str) -> str:
    """What the files of a sample have in common: all before the first dot of the name."""
    folder, slash, name = name.rpartition("/")
    return folder + slash + name.partition(".")[0]


def _read_text(file: BinaryIO, location: Location, where: str) -> str:
    file.seek(location.offset)
    try:
        return file.read(min(location.size, _MOST_BYTES)).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"the label of {where} is no text: {error}") from error
