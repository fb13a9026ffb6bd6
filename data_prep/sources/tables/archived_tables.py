"""Lists of images that are in an archive together with the images, as Kaggle and Hugging Face's users give them."""

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from data_prep.sources.archives import list_members, read_member
from data_prep.sources.base import Location
from data_prep.sources.split_files import choose_subsets
from data_prep.sources.tables.celeba import PARTITION, CelebaSource, is_celeba
from data_prep.sources.tables.columns import FILE_NAME, ColumnNames
from data_prep.sources.tables.table_folders import LISTS
from data_prep.sources.tables.table_source import TableFile, TableSource
from stargan_tf.base import files

_MOST_BYTES = 1 << 30  # of a list


def open_archived_lists(
    archive: str, columns: ColumnNames, domains: Sequence[str], val_split: str | None, work: str
) -> CelebaSource | TableSource | None:
    """Opens an archive with CelebA's list of attributes, or with `metadata.csv`, `.jsonl` or `.parquet`.

    Args:
        archive: the file.
        columns: which columns hold what.
        domains: rules about CelebA's attributes.
        val_split: as of `choose_subsets`.
        work: a folder for temporary files, into which the lists are copied.

    Returns:
        The images, which are read in the archive; None if there is no such list.

    Raises:
        UserError: as `CelebaSource` and `TableSource`.
    """
    members = list_members(archive, work, Counter())
    celeba = [name for name in members if is_celeba(name) and name.lower().endswith((".csv", ".txt"))]
    if celeba:
        path = min(celeba, key=len)
        lists = [path, posixpath.join(posixpath.dirname(path), PARTITION + path[-4:])]
        table, *_ = _copy(lists, members, work)
        return CelebaSource(table, archive, domains, val_split, work)
    lists = sorted(name for name in members if posixpath.basename(name) in LISTS)
    if not lists:
        return None
    subsets, notes = choose_subsets(lists, archive, val_split)
    tables = []
    for path, copied in zip(lists, _copy(lists, members, work), strict=True):
        folder = path[: path.rfind("/") + 1]
        tables.append(TableFile(copied, archive, folder, subsets[path], folder))
    return TableSource(tables, replace(columns, path=columns.path or FILE_NAME), work, val_split, notes)


def _copy(names: Sequence[str], members: Mapping[str, Location], work: str) -> list[str]:
    """Copies files out of an archive, those that are in it; returns where they are."""
    copied = []
    for name in names:
        if location := members.get(name):
            copied.append(files.join(work, "lists", name))
            files.write(copied[-1], read_member(location, _MOST_BYTES))
    return copied
