"""Which files are tables: those of a folder as Hugging Face has it, with shards of Parquet or with lists of images."""

from collections.abc import Sequence
from dataclasses import replace

from data_prep.sources.split_files import choose_subsets, folder_without_split
from data_prep.sources.split_names import split_of
from data_prep.sources.tables.columns import FILE_NAME, ColumnNames, has_columns, open_table
from data_prep.sources.tables.table_source import TableFile, TableSource
from stargan_tf.base import files
from stargan_tf.base.errors import UserError

# https://huggingface.co/docs/datasets/image_dataset
LISTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def open_image_folder(folder: str, columns: ColumnNames, work: str, val_split: str | None) -> TableSource | None:
    """Opens a folder of images with a list of them, `metadata.csv`, `.jsonl` or `.parquet`, or one for each split.

    Args:
        folder: the folder.
        columns: which columns hold what.
        work: a folder for temporary files.
        val_split: as of `choose_subsets`.

    Returns:
        The images; None if there is no such list, or none with paths and labels: domains may still be folders.

    Raises:
        UserError: as `TableSource`.
    """
    folders = ["", *(f"{name}/" for name in files.list_folders(folder) if split_of(name))]
    lists = [path for place in folders for name in LISTS if files.exists(files.join(folder, path := place + name))]
    if not lists:
        return None
    columns = replace(columns, path=columns.path or FILE_NAME)
    if not columns.label and not has_columns(open_table(files.join(folder, lists[0])), columns):
        return None
    subsets, notes = choose_subsets(lists, folder, val_split)
    tables = []
    for path in lists:
        prefix = path[: path.rfind("/") + 1]
        images = files.join(folder, prefix).rstrip("/")
        tables.append(TableFile(files.join(folder, path), images, prefix, subsets[path]))
    return TableSource(tables, columns, work, val_split, notes, folder)


def open_shards(
    paths: Sequence[str], folder: str, columns: ColumnNames, work: str, val_split: str | None, whole: bool
) -> TableSource:
    """Opens Parquet files that are parts of one table.

    Args:
        paths: the files, relative to a folder; their names, or those of folders, tell the splits.
        folder: the folder.
        columns: which columns hold what.
        work: a folder for temporary files.
        val_split: as of `choose_subsets`.
        whole: whether the folder is the input, whose other files are then counted.

    Returns:
        The images.

    Raises:
        UserError: as `TableSource`.
    """
    subsets, notes = choose_subsets(paths, folder, val_split)
    if len(places := {folder_without_split(path) for path in paths}) > 1:
        raise UserError(
            f"{folder} has tables in several folders, {', '.join(sorted(places))}; name one of them as the input"
        )
    tables = []
    for path in sorted(paths):
        prefix = path[: path.rfind("/") + 1]
        tables.append(TableFile(files.join(folder, path), folder, prefix, subsets[path]))
    return TableSource(tables, columns, work, val_split, notes, folder if whole else None)
