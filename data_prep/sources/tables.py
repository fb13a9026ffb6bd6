"""Tables of images: CSV or Parquet with paths and labels, and CelebA's list of attributes.

A table is read row by row, twice: once to find mistakes and the names of the domains, once to list the images.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from data_prep.sources.base import ExampleFormat, Location, SourceImage
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

SUFFIXES = (".csv", ".tsv", ".parquet")
CELEBA_FILE = "list_attr_celeba"
_SUBSETS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "": ""}


class TableSource:
    """Images whose paths and labels are columns of a CSV, TSV or Parquet file."""

    example_format: ExampleFormat | None = None
    notes: Sequence[str] = ()

    def __init__(self, table: str, images: str, path_column: str, label_column: str, split_column: str | None):
        """Reads the table once.

        Args:
            table: the file.
            images: the folder that relative paths begin from.
            path_column: name of the column with paths.
            label_column: name of the column with domains.
            split_column: name of the column with train or val (validation is taken too; rows with anything else, test
                for instance, are left out); None where there is none.

        Raises:
            UserError: the table cannot be read, has no such column, a row without a path or a label, or two rows with
                the same path.
        """
        self._table, self._images = table, images
        self._path, self._label, self._split = path_column, label_column, split_column
        self.ignored: Counter[str] = Counter()
        columns = _read_columns(table)
        for name in filter(None, (path_column, label_column, split_column)):
            if name not in columns:
                raise UserError(f"{table} has no column {name!r}; it has {', '.join(map(repr, columns))}")
        domains, seen = set[str](), set[bytes]()
        for number, image in enumerate(self.images(), start=1):
            if not image.key or not image.domain:
                raise UserError(f"row {number} of {table} has no {label_column if image.key else path_column}")
            key = hashlib.blake2b(image.key.encode(), digest_size=12).digest()  # Smaller than a path.
            if key in seen:
                raise UserError(f"{table} names {image.key!r} twice; every image should have one row")
            seen.add(key)
            domains.add(image.domain)
        self.domains = tuple(sorted(domains))

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        for row in _read_rows(self._table):
            path, label, split = (
                str(row[name] if name and row[name] is not None else "").strip()
                for name in (self._path, self._label, self._split)
            )
            subset = _SUBSETS.get(split.lower())
            if subset is None:
                self.ignored[f"rows of split {split!r}"] += 1
            else:
                yield SourceImage(path, label, subset, Location(_resolve(path, self._images)))


class CelebaSource:
    """Images of CelebA: `list_attr_celeba.txt` has a count, the names of the attributes, then a line for each image."""

    example_format: ExampleFormat | None = None
    notes: Sequence[str] = ()

    def __init__(self, table: str, images: str, rules: Sequence[str]):
        """Reads the file once.

        Args:
            table: the file.
            images: the folder with the images.
            rules: domains as `NAME=+ATTRIBUTE` or `NAME=-ATTRIBUTE`, with commas between several conditions that must
                all hold. An image for which no rule holds is left out.

        Raises:
            UserError: a malformed file or rule, or an image for which two rules hold.
        """
        self._table, self._images = table, images
        self.ignored: Counter[str] = Counter()
        with _open_text(table) as lines:
            count, self._names = lines.readline().strip(), lines.readline().split()
        if not self._names or not count.isdigit():
            raise UserError(f"{table} is no list of attributes: it should begin with a count and a line of names")
        self._rules = _parse_rules(rules, self._names, table)
        self.domains = tuple(sorted({image.domain for image in self.images()}))

    def images(self) -> Iterator[SourceImage]:
        """Lists the images, one at a time."""
        self.ignored.clear()
        with _open_text(self._table) as lines:
            for number, line in enumerate(lines, start=1):
                if number > 2 and line.strip():
                    name, *values = line.split()
                    if len(values) != len(self._names) or not set(values) <= {"1", "-1"}:
                        raise UserError(
                            f"line {number} of {self._table} should have a name and {len(self._names)} values of 1 "
                            "or -1"
                        )
                    if domain := self._domain(name, dict(zip(self._names, values, strict=True))):
                        yield SourceImage(name, domain, "", Location(_resolve(name, self._images)))
                    else:
                        self.ignored["rows for which no --domain holds"] += 1

    def _domain(self, name: str, values: Mapping[str, str]) -> str | None:
        """The domain whose conditions hold."""
        fitting = [
            domain
            for domain, conditions in self._rules.items()
            if all(values[attribute] == value for attribute, value in conditions)
        ]
        if len(fitting) > 1:
            raise UserError(f"{name} belongs to the domains {fitting[0]!r} and {fitting[1]!r}; rules must not overlap")
        return fitting[0] if fitting else None


def _parse_rules(rules: Sequence[str], names: Sequence[str], table: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Attributes and the values they must have, by domain."""
    domains = {}
    for rule in rules:
        domain, equals, conditions = rule.partition("=")
        parts = [condition.strip() for condition in conditions.split(",")]
        if not domain.strip() or not equals or any(part[:1] not in ("+", "-") for part in parts):
            raise UserError(f"--domain {rule!r} is not of the form NAME=+ATTRIBUTE or NAME=-ATTRIBUTE")
        for part in parts:
            if part[1:] not in names:
                raise UserError(f"--domain {rule!r} names no attribute of {table}; it has {', '.join(names)}")
        if domain.strip() in domains:
            raise UserError(f"--domain {domain.strip()!r} has two rules; write one with commas between its conditions")
        domains[domain.strip()] = [(part[1:], "1" if part[0] == "+" else "-1") for part in parts]
    return domains


def _read_columns(table: str) -> Sequence[str]:
    """The names of a table's columns."""
    if table.lower().endswith(".parquet"):
        with files.open_file(table) as file:
            return _open_parquet(file, table).schema_arrow.names
    with _open_text(table) as file:
        return _csv_reader(file, table).fieldnames or []


def _read_rows(table: str) -> Iterator[Mapping[str, object]]:
    """The rows of a table by column."""
    if table.lower().endswith(".parquet"):
        with files.open_file(table) as file:
            for batch in _open_parquet(file, table).iter_batches():
                yield from batch.to_pylist()
    else:
        with _open_text(table) as file:
            try:
                yield from _csv_reader(file, table)
            except UnicodeDecodeError as error:
                raise UserError(f"--input {table} is not UTF-8: {error}") from error


def _open_parquet(file, table: str):
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(file)
    except pyarrow.ArrowException as error:
        raise UserError(f"--input {table} cannot be read as Parquet: {error}") from error


def _csv_reader(file: io.TextIOWrapper, table: str) -> csv.DictReader:
    return csv.DictReader(file, delimiter="\t" if table.lower().endswith(".tsv") else ",", restval="")


def _open_text(table: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(files.open_file(table), encoding="utf-8-sig", newline="")


def _resolve(path: str, images: str) -> str:
    return path if path.startswith("/") or files.is_remote(path) else files.join(images, path)
