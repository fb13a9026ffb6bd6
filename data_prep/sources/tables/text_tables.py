"""The rows of CSV, TSV and JSON Lines files, whichever encoding and separator they are in, one at a time."""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_prep.sources.tables.table import Table
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

_SEPARATORS = ",\t;|"
# The longer marks first: that of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class CsvTable(Table):
    """A file with a line of names, and values separated by commas, semicolons, tabs or bars."""

    def __init__(self, path: str):
        """Reads the names of the columns.

        Args:
            path: the file, in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

        Raises:
            UserError: it is in another encoding, or empty.
        """
        self._path = path
        preferred = "\t" if path.lower().endswith(".tsv") else ","
        names = {separator: self._read_names(separator) for separator in preferred + _SEPARATORS}
        self._separator = max(names, key=lambda separator: len(names[separator]))  # the first of equal ones
        self.columns = names[self._separator]

    def rows(self, columns: Sequence[str]) -> Iterator[Mapping[str, str]]:
        """Gives the values of some columns by name, row by row.

        Args:
            columns: their names.

        Yields:
            What stands in them, without spaces around; "" where a row is too short.

        Raises:
            UserError: the file is in another encoding, has a row with more values than there are columns, or one with
                quotes or characters that no program writes.
        """
        places = {name: self.columns.index(name) for name in columns}
        rows = self._read(self._separator)
        next(rows)
        for number, values in enumerate(filter(None, rows), start=1):
            if any(value.strip() for value in values[len(self.columns) :]):
                raise UserError(
                    f"row {number} of {self._path} has {len(values)} values, and the first line names "
                    f"{len(self.columns)} columns; quote values that hold a {self._separator!r}"
                )
            yield {name: values[place].strip() if place < len(values) else "" for name, place in places.items()}

    def count_rows(self) -> int:
        """Counts the rows."""
        return sum(1 for _ in self.rows(()))

    def _read_names(self, separator: str) -> Sequence[str]:
        names = [name.strip() for name in next(self._read(separator, strict=False), [])]
        if not names:
            raise UserError(f"--input {self._path} is empty; its first line should name the columns")
        return names

    def _read(self, separator: str, strict: bool = True) -> Iterator[list[str]]:
        with open_text(self._path) as file:
            reader = csv.reader(file, delimiter=separator, strict=strict)
            try:
                yield from reader
            except csv.Error as error:
                raise UserError(f"{self._path} is malformed at line {reader.line_num}: {error}") from error
            except UnicodeError as error:
                raise unreadable_text(self._path, error) from error


class JsonLinesTable(Table):
    """A file with a JSON object in each line."""

    def __init__(self, path: str):
        """Reads the names of the columns from the first line.

        Args:
            path: the file, in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

        Raises:
            UserError: it is in another encoding, empty, or the line has another form.
        """
        self._path = path
        self.columns = tuple(next(self._read(), {}))
        if not self.columns:
            raise UserError(f"--input {path} is empty; each line should be a JSON object")

    def rows(self, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Gives the values of some columns by name, row by row; None where there is none.

        Raises:
            UserError: the file is in another encoding, or a line has another form.
        """
        for row in self._read():
            yield {name: row.get(name) for name in columns}

    def count_rows(self) -> int:
        """Counts the rows."""
        return sum(1 for _ in self._read())

    def _read(self) -> Iterator[Mapping[str, Any]]:
        with open_text(self._path) as file:
            try:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        row = json.loads(line)
                        if not isinstance(row, dict):
                            raise UserError(f"line {number} of {self._path} is no JSON object: {line[:80]!r}")
                        yield row
            except UnicodeError as error:
                raise unreadable_text(self._path, error) from error
            except (ValueError, RecursionError) as error:
                raise UserError(f"line {number} of {self._path} is no JSON object: {line[:80]!r}") from error


def open_text(path: str) -> io.TextIOWrapper:
    """Opens a text file for reading, in the encoding that its byte order mark tells; without one, UTF-8."""
    with files.open_file(path) as file:
        start = file.read(4)
    encoding = next((encoding for mark, encoding in _MARKS if start.startswith(mark)), "utf-8-sig")
    return io.TextIOWrapper(files.open_file(path), encoding=encoding, newline="")


def unreadable_text(path: str, error: UnicodeError) -> UserError:
    """Says that a file is in another encoding."""
    return UserError(
        f"--input {path} is not in UTF-8: {error}; save it as UTF-8 (`iconv -f latin1 -t utf-8` does that for Latin-1)"
    )
