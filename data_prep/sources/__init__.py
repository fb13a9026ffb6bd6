"""Where images come from: folders, tables, archives, data sets; and how the bytes of one are read."""

from dataclasses import dataclass

from data_prep.sources.archives import SUFFIXES as ARCHIVE_SUFFIXES
from data_prep.sources.archives import ArchiveSource, read_member
from data_prep.sources.base import ExampleFormat, Location, Source, SourceImage
from data_prep.sources.folders import FolderSource
from data_prep.sources.labels import ChosenLabels
from data_prep.sources.layout import ValSplit
from data_prep.sources.tables import CELEBA_FILE, CelebaSource, TableSource
from data_prep.sources.tables import SUFFIXES as TABLE_SUFFIXES
from data_prep.sources.tfds_source import PREFIX as TFDS_PREFIX
from data_prep.sources.tfds_source import TfdsSource, find_directory, find_examples
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
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
    "open_source",
    "read_image",
]


@dataclass(frozen=True)
class SourceOptions:
    """What the sources need to know beside the input.

    Args:
        images: folder that relative paths in a table begin from; by default the table's.
        path_column: column of a table with paths.
        label_column: column of a table with domains.
        split_column: column of a table with train or val; by default a hash decides.
        domain: which labels become domains, as NAME=LABEL, or LABEL alone to keep its name; LABEL may be a pattern with
            * and ?, and NAME may stand in several; by default every label is a domain. Of CelebA's attributes
            NAME=+ATTRIBUTE or NAME=-ATTRIBUTE, with commas between several that must all hold. May be given several
            times.
        image_feature: feature with the image, of a TensorFlow Datasets input.
        label_feature: feature with the label, of a TensorFlow Datasets input.
        val_split: which split of folders is the validation set, val or test; or hash, which takes --val_fraction of
            train. By default val if there is one, else hash; if there is only test, you are asked to choose.
        follow_links: whether links to folders are followed.
    """

    images: str | None = None
    path_column: str = "path"
    label_column: str = "label"
    split_column: str | None = None
    domain: tuple[str, ...] = ()
    image_feature: str = "image"
    label_feature: str = "label"
    val_split: ValSplit | None = None
    follow_links: bool = False


def open_source(place: str, options: SourceOptions, work: str) -> Source:
    """Opens a source by what its name says.

    Args:
        place: a folder; a .csv, .tsv or .parquet file; CelebA's list_attr_celeba.txt; a .zip or .tar file; `tfds:NAME`
            or a directory of TensorFlow Datasets.
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
        raise UserError(f"--input {place} cannot be read: {error.strerror or error}") from error
    if options.val_split and not isinstance(source, FolderSource | ArchiveSource):
        raise UserError(f"--val_split is for folders and archives of them, and --input is {place}")
    if not source.domains:
        raise UserError(f"no domains in {place}: there should be a folder (or label) with images for each")
    if options.domain and not isinstance(source, CelebaSource):  # which has rules about attributes instead
        source = ChosenLabels(source, options.domain, place)
    if len(source.domains) == 1:
        raise UserError(f"only one domain, {source.domains[0]!r}, in {place}; a translation needs at least two")
    check_domains(source.domains)
    return source


def _open(place: str, options: SourceOptions, work: str) -> Source:
    if data_set := place if place.startswith(TFDS_PREFIX) else find_directory(place):
        return TfdsSource(data_set, options.image_feature, options.label_feature)
    if files.is_folder(place):
        return FolderSource(place, options.val_split, options.follow_links)
    lower = place.lower()
    if not files.exists(place):
        raise UserError(f"--input {place} does not exist; name a directory with a folder of images for each domain")
    images = files.folder_of(place) if options.images is None else options.images
    if lower.endswith(ARCHIVE_SUFFIXES):
        return ArchiveSource(place, work, options.val_split)
    if CELEBA_FILE in files.name_of(place):
        if not options.domain:
            raise UserError(f'--input {place} needs rules like --domain "male=+Male" --domain "female=-Male"')
        return CelebaSource(place, images, options.domain)
    if lower.endswith(TABLE_SUFFIXES):
        return TableSource(place, images, options.path_column, options.label_column, options.split_column)
    known = ", ".join((*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES))
    raise UserError(f"--input {place} is a file of no known kind; it should end in one of {known}")


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
