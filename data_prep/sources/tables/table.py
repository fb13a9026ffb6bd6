"""What every kind of table gives."""

import abc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class Table(abc.ABC):
    """A table in a file.

    Attributes:
        columns: their names, in order.
        image_columns: those that hold images in the form of Hugging Face's libraries.
        binary_columns: those that hold bytes, of images perhaps.
        label_names: by column of integers, the names that they stand for.
    """

    columns: Sequence[str]
    image_columns: Sequence[str] = ()
    binary_columns: Sequence[str] = ()
    label_names: Mapping[str, Sequence[str]] = {}

    @abc.abstractmethod
    def rows(self, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Gives the values of some columns by name, row by row."""

    @abc.abstractmethod
    def count_rows(self) -> int:
        """Counts the rows."""
