"""Tables of images: CSV, TSV, JSON Lines or Parquet with paths, or with the images themselves, and labels.

A table is read row by row, twice: once to find mistakes and the names of the domains, once to list the images.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.folders import count_others
from data_prep.sources.split_files import taken_for
from data_prep.sources.split_names import split_of
from data_prep.sources.tables.columns import (
    FILE_NAME,
    ColumnNames,
    describe_columns,
    describe_unused_split,
    find_columns,
    holds_images,
    open_table,
)
from data_prep.sources.tables.image_places import ImagePlace
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.progress import Progress

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_DELAY = 2.0  # seconds before a bar appears
_OTHER_SPLIT = "rows of split "
_SHOWN = 5  # names in a sentence
_NO_LABEL = -1  # as Hugging Face's libraries write it


@dataclass(frozen=True)
class TableFile:
    """One file of a table.

    Args:
        path: the file.
        images: the folder, or the archive, that its paths begin from.
        prefix: what keys of its images begin with.
        subset: "train", "val", or "" if a column or a hash is to decide; None if all of it is left out.
        folder: the folder in an archive that its paths begin from, with a slash at its end.
    """

    path: str
    images: str
    prefix: str = ""
    subset: str | None = ""
    folder: str = ""


class TableSource:
    """Images whose paths, or whose bytes, and whose labels are columns of tables.

    Attributes:
        chosen: labels whose images will be needed; None for all. Others' are not copied out of a table.
    """

    example_format: ExampleFormat | None = None

    def __init__(
        self,
        tables: Sequence[TableFile],
        columns: ColumnNames,
        work: str,
        val_split: str | None = None,
        notes: Sequence[str] = (),
        folder: str | None = None,
    ):
        """Reads the tables once, but not the images in them.

        Args:
            tables: the files, all with the same columns.
            columns: which hold what.
            work: a folder in which images that are in the tables are put, since they can only be read in order.
            val_split: which split of the column is the validation set, "val" or "test"; or "hash". By default "val".
                Rows of other splits are left out.
            notes: what is already known of how the input is understood.
            folder: where all files should be parts of this; others are then counted.

        Raises:
            UserError: a table cannot be read, has no such column, a row without a path or a label, or two rows with
                the same path; or no row is of a split that is taken.
        """
        self._tables = [table for table in tables if table.subset is not None]
        self._left_out = [table for table in tables if table.subset is None]
        self._wanted, self._work, self._folder = columns, work, folder
        self._taken = taken_for(val_split or "val")
        if val_split in ("val", "test") and not columns.split and not any(table.subset for table in tables):
            raise UserError(f"--val_split is {val_split}, and no --split_column of {tables[0].path} tells the split")
        self.ignored: Counter[str] = Counter()
        self.chosen: Collection[str] | None = None
        self._opened = [open_table(table.path) for table in self._tables]
        self._columns = [
            find_columns(opened, table.path, columns) for opened, table in zip(self._opened, self._tables, strict=True)
        ]
        self._places = {place: ImagePlace(place, work) for place in {table.images for table in self._tables}}
        self._seen = set[bytes]()
        self._samples: Sequence[list[str]] = [[] for _ in self._tables]  # paths of some rows of each
        domains = set[str]()
        for index in range(len(self._tables)):
            if self._columns[index].label or not self._holds_images(index):  # else there is nothing to find yet
                domains.update(image.domain for image in self._read(index, check=True))
        self.domains = tuple(sorted(domains))
        if not domains and columns.split:
            found = ", ".join(sorted(kind.removeprefix(_OTHER_SPLIT) for kind in self.ignored)[:_SHOWN])
            raise UserError(
                f"no row of {tables[0].path} is of a split that is taken: its column {columns.split!r} has {found}; it "
                "should have train, and val or test"
            )
        self.notes: Sequence[str] = (*notes, *describe_columns(self._columns, self._opened))
        if not any(table.subset for table in tables):
            self.notes = (*self.notes, *describe_unused_split(self._columns, self._opened))

    def check_paths(self) -> None:
        """Looks whether the paths of some rows lead anywhere, before all of them are tried.

        Raises:
            UserError: none of them does.
        """
        for table, paths in zip(self._tables, self._samples, strict=True):
            self._places[table.images].check_some_exist(paths, table.path)

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time; writes those that are in the tables into the folder for temporary files."""
        self.ignored.clear()
        for place in self._places.values():
            place.num_located = 0
        for index in range(len(self._tables)):
            yield from self._copied(index) if self._holds_images(index) else self._read(index)
        for table in self._left_out:
            self.ignored["rows of files of other splits"] += open_table(table.path).count_rows()
        for place in self._places.values():
            self.ignored.update(place.left_out())
        if self._folder is not None:
            self._count_others(self._folder)

    def _copied(self, index: int) -> Iterator[SourceImage]:
        """Lists the images that are in a table, and copies them."""
        count, name = self._opened[index].count_rows(), files.name_of(self._tables[index].path)
        with (
            files.create(files.join(self._work, f"images-{index:06d}")) as copy,
            Progress(count, f"copying images out of {name}", "rows", keep=False, delay=_DELAY) as progress,
        ):
            for image in self._read(index, copy):
                progress.update()
                yield image

    def _holds_images(self, index: int) -> bool:
        """Whether images are in the table itself."""
        return holds_images(self._opened[index], self._columns[index].path)

    def _read(self, index: int, copy: BinaryIO | None = None, check: bool = False) -> Iterator[SourceImage]:
        """Reads the rows of a table.

        Args:
            index: which one.
            copy: where images that are in the table are copied to; without it they are not read.
            check: whether paths are remembered, and must not be there twice.
        """
        table, columns, opened = self._tables[index], self._columns[index], self._opened[index]
        names = opened.label_names.get(columns.label) if columns.label else None
        inside, offset = self._holds_images(index), 0
        wanted = [name for name in (columns.label, columns.split, columns.path) if name]
        for number, row in enumerate(opened.rows(wanted if copy or not inside else wanted[:-1]), start=1):
            where = f"row {number} of {table.path}"
            domain = self._domain(row[columns.label], names, where) if columns.label else ""
            subset = self._subset(row[columns.split], where) if columns.split and domain is not None else table.subset
            if inside:
                key, location = f"{table.prefix}{files.name_of(table.path)}/{number - 1:08d}", Location(table.path)
            else:
                path = _text(row[columns.path], where, columns.path)
                key, location = table.prefix + path, self._places[table.images].locate(table.folder + path)
                if not path:
                    raise UserError(f"{where} has no {columns.path}")
                if check:
                    self._remember(key, table)
                    if number & (number - 1) == 0:  # some of the first rows, and a few of all others
                        self._samples[index].append(table.folder + path)
            if domain == "" and columns.label:
                raise UserError(f"{where} has no {columns.label}")
            if domain is None or subset is None:
                continue
            if inside and copy and (self.chosen is None or domain in self.chosen):
                location = self._copy(row[columns.path], table, offset, copy)
                offset += location.size
            yield SourceImage(key, domain, subset, location)

    def _remember(self, key: str, table: TableFile) -> None:
        digest = _digest(key)
        if digest in self._seen:
            raise UserError(f"{table.path} names {key!r} twice; every image should have one row")
        self._seen.add(digest)

    def _copy(self, value: Any, table: TableFile, offset: int, copy: BinaryIO) -> Location:
        """Copies an image out of a table; one of which only the path is there stays where it is."""
        if isinstance(value, dict):
            if value["bytes"] is None and value.get("path"):
                self._seen.add(_digest(value["path"]))
                return self._places[table.images].locate(value["path"])
            value = value["bytes"]
        data = value or b""  # of which the job says that it is no image
        copy.write(data)
        return Location(files.join(self._work, f"images-{self._tables.index(table):06d}"), "stored", offset, len(data))

    def _domain(self, value: Any, names: Sequence[str] | None, where: str) -> str | None:
        """The domain that a label means; None for one that is to be left out."""
        if names is None or value is None:
            return _text(value, where, "label")
        if value == _NO_LABEL:
            self.ignored["rows without a label (-1)"] += 1
        elif not 0 <= value < len(names):
            self.ignored[f"rows with a label outside 0 to {len(names) - 1}"] += 1
        else:
            return names[value].strip()
        return None

    def _subset(self, value: Any, where: str) -> str | None:
        """The subset that a value in the column of splits means; None for one that is to be left out."""
        text = _text(value, where, "split")
        subset = self._taken.get(split_of(text) or "") if text else ""
        if subset is None:
            self.ignored[f"{_OTHER_SPLIT}{text!r}"] += 1
        return subset

    def _count_others(self, folder: str) -> None:
        """Counts the files of a folder that are no tables, and that no row names."""
        for table in self._left_out:
            opened = open_table(table.path)
            column = self._wanted.path or FILE_NAME
            if column in opened.columns and not holds_images(opened, column):
                self._seen.update(_digest(f"{table.prefix}{row[column]}") for row in opened.rows([column]))
        own = {table.path for table in (*self._tables, *self._left_out)}
        count_others(folder, lambda name: _digest(name) in self._seen or files.join(folder, name) in own, self.ignored)


def _text(value: Any, where: str, column: str) -> str:
    """A value as text without spaces around."""
    if isinstance(value, (dict, list, bytes)):
        raise UserError(f"{where} has a {column} that is no text or number but a {type(value).__name__}")
    missing = value is None or value != value  # as NaN, which tables of numbers have instead
    text = "" if missing else str(value).strip()
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"{where} has a {column} with a character that is none, {text!r}")
    return text


def _digest(key: str) -> bytes:
    """A hash that takes less memory than a path."""
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=12).digest()
