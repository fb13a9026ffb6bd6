"""Tables of images: files with a row for each, with its path or the image itself, and with its label or attributes."""

from data_prep.sources.tables.archived_tables import open_archived_lists
from data_prep.sources.tables.celeba import CelebaSource, find_celeba, is_celeba
from data_prep.sources.tables.columns import ColumnNames
from data_prep.sources.tables.table_folders import open_image_folder, open_shards
from data_prep.sources.tables.table_source import SUFFIXES, TableFile, TableSource

__all__ = [
    "SUFFIXES",
    "CelebaSource",
    "ColumnNames",
    "TableFile",
    "TableSource",
    "find_celeba",
    "is_celeba",
    "open_archived_lists",
    "open_image_folder",
    "open_shards",
]
