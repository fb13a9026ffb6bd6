"""Where images come from: folders, tables, archives, data sets; and how the bytes of one are read."""

import collections
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from data_prep.sources.advice import advice_on_input, left_out
from data_prep.sources.archives import SUFFIXES as ARCHIVE_SUFFIXES
from data_prep.sources.archives import ArchiveSource, read_member
from data_prep.sources.base import ExampleFormat, Location, Source, SourceImage
from data_prep.sources.folders import FolderSource, hidden_kind
from data_prep.sources.labels import ChosenLabels, tell_alike
from data_prep.sources.layout import ANYWHERE, ValSplit, is_image
from data_prep.sources.patterns import expand, is_pattern, split_folder
from data_prep.sources.split_files import EVERY
from data_prep.sources.tables import SUFFIXES as TABLE_SUFFIXES
from data_prep.sources.tables import (
    CelebaSource,
    ColumnNames,
    TableFile,
    TableSource,
    find_celeba,
    is_celeba,
    open_archived_lists,
    open_image_folder,
    open_shards,
)
from data_prep.sources.tfds_source import TfdsSource, find_below, find_examples, is_data_set
from data_prep.sources.webdataset import SUFFIXES as WEBDATASET_SUFFIXES
from data_prep.sources.webdataset import WebDataset, is_webdataset
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import is_full
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.records import check_domains
from stargan_tf.data.tfrecord import HEADER_BYTES, CorruptRecord, check_data, record_bytes

__all__ = [
    "ExampleFormat",
    "Location",
    "Source",
    "SourceImage",
    "SourceOptions",
    "find_examples",
    "open_all_images",
    "open_source",
    "read_image",
]


@dataclass(frozen=True)
class SourceOptions:
    """What the sources need to know beside the input.

    Args:
        images: folder or archive that relative paths in a table begin from; by default the table's folder.
        path_column: column of a table with paths, or with images; by default the one with images, path or file_name.
        label_column: column of a table, or field of WebDataset's JSON, with labels; by default label, or the only one
            whose labels have names.
        split_column: column of a table with train, val or test; by default a hash decides.
        domain: which labels become domains, as NAME=LABEL, or LABEL alone to keep its name; LABEL may be a pattern with
            * and ?, and NAME may stand in several; by default every label is a domain. Of CelebA's attributes
            NAME=+ATTRIBUTE or NAME=-ATTRIBUTE, with commas between several that must all hold. May be given several
            times.
        image_feature: feature with the image, of a TensorFlow Datasets input.
        label_feature: feature with the label, of a TensorFlow Datasets input.
        val_split: which split is the validation set, val or test; or hash, which takes --val_fraction of train. By
            default val if there is one, else hash; of folders or files with only test beside train, you are asked to
            choose.
        follow_links: whether links to folders are followed where the input is a folder of domains.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("images",)  # may lie on a store

    images: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    domain: tuple[str, ...] = ()
    image_feature: str = "image"
    label_feature: str = "label"
    val_split: ValSplit | None = None
    follow_links: bool = False


def open_source(place: str, options: SourceOptions, work: str) -> Source:
    """Opens a source by what its name says.

    Args:
        place: a folder of domains, of Parquet files, of tars of WebDataset, with a list of its images, or of
            TensorFlow Datasets; a table; a .zip or .tar file; several files by braces, `*` and `?`; or `tfds:NAME`.
        options: what else is known.
        work: a folder for temporary files.

    Returns:
        The source, which has two domains or more.

    Raises:
        UserError: nothing usable is there.
    """
    try:
        source = _open(place, options, work)
    except OSError as error:
        if is_full(error):  # where archives and tables are unpacked
            raise
        raise UserError(f"--input {place} cannot be read: {error.strerror or error}") from error
    if not source.domains:
        raise UserError(f"no domains in {place}: there should be a folder (or label) with images for each")
    if options.domain and not isinstance(source, CelebaSource):  # which has rules about attributes instead
        source = ChosenLabels(source, options.domain, place)
    if len(source.domains) == 1:
        if isinstance(source, FolderSource | ArchiveSource):
            collections.deque(source.images(), maxlen=0)  # which counts what is left out
        raise UserError(
            f"only one domain, {source.domains[0]!r}, in {place}; a translation needs at least two"
            f"{left_out(source.ignored)}"
        )
    check_domains(source.domains)
    source.notes = (*source.notes, *tell_alike(source.domains))
    return source


def open_all_images(place: str, options: SourceOptions, work: str) -> Source:
    """Opens a source of images whose domains and splits do not matter: all of them are taken.

    Args:
        place: as of `open_source`; images of a folder, and of an archive, may lie in any folders, or in none.
        options: what else is known; those on labels and splits are not looked at.
        work: a folder for temporary files.

    Returns:
        The source; what it calls a domain may be "".

    Raises:
        UserError: nothing usable is there.
    """
    options = replace(options, val_split=EVERY)  # type: ignore[arg-type]  # for which the command line has no word
    if files.is_folder(place) and not is_data_set(place):
        if any(is_image(name) and not hidden_kind(name) for name in files.list_files(place)):
            return FolderSource(place, follow_links=options.follow_links, layout=ANYWHERE)
    elif place.lower().endswith(ARCHIVE_SUFFIXES) and files.exists(place):
        return ArchiveSource(place, work, layout=ANYWHERE)
    try:
        return _open(place, options, work, labelled=False)
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"--input {place} cannot be read: {error.strerror or error}") from error


def _open(place: str, options: SourceOptions, work: str, labelled: bool = True) -> Source:
    if is_data_set(place):
        return TfdsSource(place, options.image_feature, options.label_feature, options.val_split)
    columns = ColumnNames(options.path_column, options.label_column, options.split_column, labelled)
    if files.is_folder(place):
        return _open_folder(place, columns, options, work)
    lower = place.lower()
    if not files.exists(place):
        if is_pattern(place):
            return _open_files(*split_folder(expand(place)), columns, options, work)
        raise UserError(f"--input {place} does not exist; name a directory with a folder of images for each domain")
    if lower.endswith(ARCHIVE_SUFFIXES):
        return _open_archive(place, columns, options, work)
    if is_celeba(place) and options.label_column is None:
        return CelebaSource(place, options.images, options.domain, options.val_split, work)
    if lower.endswith(TABLE_SUFFIXES):
        table = TableFile(place, options.images or files.folder_of(place))
        return TableSource([table], columns, work, options.val_split)
    if told := advice_on_input(place):
        raise UserError(f"--input {place} is {told}")
    known = ", ".join((*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES))
    raise UserError(f"--input {place} is a file of no known kind; it should end in one of {known}")


def _open_archive(place: str, columns: ColumnNames, options: SourceOptions, work: str) -> Source:
    """Opens an archive: of domains, unless there are labels beside its images, or lists of images in it."""
    source = error = None
    if not is_webdataset(place, in_folders=options.label_column is not None):
        try:
            source = ArchiveSource(place, work, options.val_split)
        except UserError as caught:
            error = caught
        if source and len(source.domains) > 1:
            return source
    if is_webdataset(place, in_folders=True):
        name, folder = files.name_of(place), files.folder_of(place)
        return WebDataset([name], folder, options.label_column, options.val_split, work)
    if listed := open_archived_lists(place, columns, options.domain, options.val_split, work):
        return listed
    if source:
        return source
    assert error is not None  # there is a source or an error
    raise error


def _open_folder(place: str, columns: ColumnNames, options: SourceOptions, work: str) -> Source:
    """Opens a folder: of domains, unless there is a list of the images in it, or nothing but other files."""
    if celeba := find_celeba(place):
        return CelebaSource(celeba, options.images, options.domain, options.val_split, work)
    if listed := open_image_folder(place, columns, work, options.val_split):
        return listed
    try:
        source = FolderSource(place, options.val_split, options.follow_links)
    except UserError:
        if below := _open_below(place, columns, options, work):
            return below
        raise
    return source if len(source.domains) > 1 else _open_below(place, columns, options, work) or source


def _open_below(place: str, columns: ColumnNames, options: SourceOptions, work: str) -> Source | None:
    """Opens what a folder holds that has no folders of images: shards of some kind, or a data set below."""
    if data_set := find_below(place):
        return TfdsSource(data_set, options.image_feature, options.label_feature, options.val_split)
    names = [name for name in files.list_files(place) if name.lower().endswith((".parquet", *WEBDATASET_SUFFIXES))]
    parquet = [name for name in names if name.lower().endswith(".parquet")]
    shards = sorted(parquet or names)
    if not parquet and not (shards and is_webdataset(files.join(place, shards[0]), in_folders=True)):
        return None
    return _open_files(place, shards, columns, options, work, whole=True)


def _open_files(
    folder: str, names: Sequence[str], columns: ColumnNames, options: SourceOptions, work: str, whole: bool = False
) -> Source:
    """Opens files that are one data set together."""
    if all(name.lower().endswith(TABLE_SUFFIXES) for name in names):
        return open_shards(names, folder, columns, work, options.val_split, whole)
    if all(name.lower().endswith(WEBDATASET_SUFFIXES) for name in names) and is_webdataset(
        files.join(folder, names[0]), in_folders=True
    ):
        return WebDataset(names, folder, options.label_column, options.val_split, work, whole)
    raise UserError(
        f"the {len(names)} files in {folder}, {names[0]} the first, are neither tables nor tars of WebDataset together"
    )


def read_image(location: Location, max_bytes: int, example_format: ExampleFormat | None = None) -> bytes:
    """Reads the bytes of one image.

    Args:
        location: where they are.
        max_bytes: the most that is read.
        example_format: what Examples are like, for a location in one.

    Returns:
        An encoded image, or what pretends to be one.

    Raises:
        TooLarge: it has more than `max_bytes`.
        OSError: it cannot be read.
    """
    if location.packing == "file":
        return files.read(location.path, max_bytes)
    if location.packing in ("stored", "zipped"):
        return read_member(location, max_bytes)
    assert example_format is not None  # only a source of Examples has such locations
    if location.size > max_bytes:
        raise files.TooLarge(f"more than {max_bytes:,} bytes")
    with files.open_file(location.path) as file:
        file.seek(location.offset)
        data = file.read(record_bytes(location.size) - HEADER_BYTES)
    try:
        (image,) = decode_example(check_data(data, location.size))[example_format.image]
    except (CorruptRecord, ValueError, KeyError) as error:
        raise OSError(f"damaged record: {error}") from error
    return image
