"""How a table is opened, and which of its columns hold what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_prep.sources.tables.parquet_table import ParquetTable
from data_prep.sources.tables.table import Table
from data_prep.sources.tables.text_tables import CsvTable, JsonLinesTable
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import IMAGE_SUFFIXES

FILE_NAME = "file_name"  # the column of Hugging Face's folders of images
_PATHS = ("path", FILE_NAME)
_LABEL = "label"
_SPLITS = ("split", "subset", "partition")


@dataclass(frozen=True)
class ColumnNames:
    """Which columns hold what; None for the usual ones.

    Args:
        path: with paths, or with images.
        label: with the names of domains.
        split: with the names of splits; None where there is none.
        labelled: whether there must be labels; where not, all images are of a domain without a name.
    """

    path: str | None = None
    label: str | None = None
    split: str | None = None
    labelled: bool = True


def open_table(path: str) -> Table:
    """Opens a table by the ending of its name.

    Raises:
        UserError: it cannot be read.
    """
    lower = path.lower()
    if lower.endswith(".parquet"):
        return ParquetTable(path)
    return JsonLinesTable(path) if lower.endswith(".jsonl") else CsvTable(path)


def has_columns(table: Table, columns: ColumnNames) -> bool:
    """Returns whether a table has what is needed of one, a path and a label for each image."""
    try:
        find_columns(table, "", columns)
    except UserError:
        return False
    return True


@dataclass(frozen=True)
class Columns:
    """The columns of a table that were found.

    Args:
        path: with paths, or with images.
        label: with labels; None where they do not matter.
        split: with the names of splits; None where there is none.
    """

    path: str
    label: str | None
    split: str | None


def find_columns(table: Table, place: str, wanted: ColumnNames) -> Columns:
    """Finds the columns that are asked for, or else the usual ones.

    Args:
        table: the table.
        place: where it is, for errors.
        wanted: names of columns.

    Returns:
        The columns.

    Raises:
        UserError: one is missing, is there twice, or several could be meant.
    """
    known = f"it has {', '.join(map(repr, table.columns))}"
    for name in filter(None, (wanted.path or _PATHS[0], wanted.label or _LABEL, wanted.split)):
        count = table.columns.count(name)
        if count > 1 or (not count and name in (wanted.path, wanted.label, wanted.split)):
            problem = "several columns" if count else "no column"
            raise UserError(f"{place} has {problem} {name!r}; {known}")
    usual = [name for name in _PATHS if name in table.columns]
    paths = [wanted.path] if wanted.path else _one_of(table.image_columns, "image") or usual[:1]
    paths = paths or _one_of(table.binary_columns, "image")
    if not paths:
        if several := [*table.image_columns, *table.binary_columns]:
            raise UserError(f"{place} has several columns of images, {', '.join(several)}; name one by --path_column")
        headless = any(name.lower().endswith(IMAGE_SUFFIXES) for name in table.columns)
        hint = "its first line should hold the names of the columns" if headless else "name one by --path_column"
        raise UserError(f"{place} has no column {_PATHS[0]!r}; {known}; {hint}")
    if not wanted.labelled:
        return Columns(paths[0], None, wanted.split)
    labels = [wanted.label or _LABEL]
    if not wanted.label and _LABEL not in table.columns:
        labels = [*table.label_names]
    if len(labels) > 1:
        raise UserError(f"{place} has several columns of labels, {', '.join(labels)}; name one by --label_column")
    if not labels:
        raise UserError(f"{place} has no column {_LABEL!r}; {known}; name one by --label_column")
    return Columns(paths[0], labels[0], wanted.split)


def _one_of(columns: Sequence[str], preferred: str) -> list[str]:
    return [preferred] if preferred in columns else list(columns) if len(columns) == 1 else []


def holds_images(table: Table, column: str) -> bool:
    """Returns whether a column holds images, and not paths."""
    return column in (*table.image_columns, *table.binary_columns)


def describe_columns(columns: Sequence[Columns], tables: Sequence[Table]) -> Iterator[str]:
    """Says which columns were taken, where that was not asked for or is not plain."""
    for found, table in zip(columns, tables, strict=True):
        if found.path != _PATHS[0] or found.label not in (_LABEL, None):
            kind = "images" if holds_images(table, found.path) else "paths"
            yield f"the column {found.path!r} holds the {kind}" + f", {found.label!r} the labels" * bool(found.label)
        return


def describe_unused_split(columns: Sequence[Columns], tables: Sequence[Table]) -> Iterator[str]:
    """Says that a column looks like one of splits, where none was asked for and so a hash decides."""
    for found, table in zip(columns, tables, strict=True):
        for name in table.columns:
            if not found.split and name not in (found.path, found.label) and name.strip().lower() in _SPLITS:
                choice = "a hash chooses validation images"
                yield f"the column {name!r} is not looked at, and {choice}; --split_column {name} takes it"
                return
