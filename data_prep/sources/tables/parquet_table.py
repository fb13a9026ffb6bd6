"""The rows of a Parquet file: only the columns that are needed, a few rows at a time."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_prep.sources.tables.table import Table
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

_ROWS = 16  # that are decoded together: images may be large
_BUFFER = 1 << 20  # bytes; without one, a whole column of a row group is read at once


class ParquetTable(Table):
    """A Parquet file, such as the libraries of Hugging Face write.

    These keep an image as `{"bytes": ..., "path": ...}`, a label as an integer, and the names of labels in the metadata
    of the schema. https://huggingface.co/docs/datasets/about_dataset_features
    """

    def __init__(self, path: str):
        """Reads the schema.

        Args:
            path: the file.

        Raises:
            UserError: it is no Parquet file.
        """
        from pyarrow import types

        self._path = path
        with self._open() as file:
            schema, self._num_rows = file.schema_arrow, file.metadata.num_rows
        self.columns = schema.names
        images, binary = [], []
        for field in schema:
            if types.is_struct(field.type) and "bytes" in {part.name for part in field.type}:
                images.append(field.name)
            elif types.is_binary(field.type) or types.is_large_binary(field.type):
                binary.append(field.name)
        self.image_columns, self.binary_columns = images, binary
        self.label_names = {
            name: names
            for name, names in _label_names(schema.metadata or {}).items()
            if name in self.columns and types.is_integer(schema.field(name).type)
        }

    def rows(self, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """Gives the values of some columns by name, row by row.

        Raises:
            UserError: the file is damaged.
        """
        with self._open() as file:
            for batch in file.iter_batches(_ROWS, columns=list(columns), use_threads=False):
                yield from batch.to_pylist()

    def count_rows(self) -> int:
        """Counts the rows."""
        return self._num_rows

    @contextlib.contextmanager
    def _open(self):
        import pyarrow
        from pyarrow import parquet

        with files.open_file(self._path) as file:
            try:
                yield parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER)
            except (pyarrow.ArrowException, OSError, UnicodeError) as error:
                problem = str(error).partition("\n")[0]
                raise UserError(f"--input {self._path} cannot be read as Parquet: {problem}") from error


def _label_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """The names that the integers of columns stand for, as the metadata of a schema tells them."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            column: tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
