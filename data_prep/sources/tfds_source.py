"""Data sets of TensorFlow Datasets, by name or directory: images are taken out of their records as they are encoded."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from data_prep.sources.base import ExampleFormat, Location, SourceImage
from data_prep.sources.labels import UNNAMED
from data_prep.sources.split_files import EVERY, taken_for
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.tfrecord import HEADER_BYTES, CorruptRecord, read_length, record_bytes

PREFIX = "tfds:"
_INFO = "dataset_info.json"
_MOST_CONFIGURATIONS = 100  # folders that are looked into; a data set has few configurations
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class TfdsSource:
    """The images of a data set, with its labels as domains.

    Splits whose name begins with "train" and with "val" become these; others are left out, one that begins with
    "test" unless it is asked for.
    """

    notes: Sequence[str] = ()

    def __init__(self, name: str, image_feature: str, label_feature: str, val_split: str | None = None):
        """Reads the description of the data set.

        Args:
            name: `tfds:NAME`, which is downloaded and prepared if it was not before, or the directory of one.
            image_feature: name of the feature with the image.
            label_feature: name of the feature with the label.
            val_split: which split is the validation set, "val" or "test"; or "hash". By default "val" if there is one,
                else "hash". With `EVERY` all splits are taken.

        Raises:
            UserError: there is no such data set, or it has other features, another file format or no such split.
        """
        with command_line.quiet_start():
            import tensorflow_datasets as tfds
        try:
            if name.startswith(PREFIX):
                builder = tfds.builder(name.removeprefix(PREFIX))
                builder.download_and_prepare()
            else:
                builder = tfds.builder_from_directory(name)
        except Exception as error:  # TensorFlow Datasets promises no particular one.
            problem = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
            raise UserError(f"--input {name} cannot be opened by TensorFlow Datasets: {problem}") from error
        features = builder.info.features
        for feature, kind in ((image_feature, tfds.features.Image), (label_feature, tfds.features.ClassLabel)):
            if feature not in features or not isinstance(features[feature], kind):
                raise UserError(
                    f"--input {name} has no feature {feature!r} that is an {kind.__name__}; it has "
                    + ", ".join(f"{key} ({type(value).__name__})" for key, value in features.items())
                )
        if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
            raise UserError(f"--input {name} is of file format {builder.info.file_format.value}; it must be tfrecord")
        if not features[label_feature].num_classes:
            raise UserError(f"--input {name} does not tell the names of {label_feature!r}, nor how many there are")
        names = tuple(features[label_feature].names)
        self.domains = tuple(sorted(names))
        self.example_format: ExampleFormat | None = ExampleFormat(image_feature, label_feature, names)
        self.ignored: Counter[str] = Counter()
        self._splits = {}
        taken = taken_for(val_split or "val")
        splits = builder.info.splits
        for split, info in splits.items():
            subset = next((taken[kind] for kind in taken if split.startswith(kind)), "" if val_split == EVERY else None)
            if subset is None:
                self.ignored[f"examples of split {split!r}"] = info.num_examples
            else:
                self._splits[split] = (subset, [str(path) for path in info.filepaths], info.num_examples)
        self._has_val = any(subset == "val" for subset, _, _ in self._splits.values())
        if val_split in ("val", "test") and not self._has_val:
            raise UserError(
                f"--val_split is {val_split}, and --input {name} has no such split, but {', '.join(splits)}"
            )

    @property
    def num_images(self) -> int:
        """How many images the data set says it has."""
        return sum(count for _, _, count in self._splits.values())

    def images(self) -> Iterator[SourceImage]:
        """Lists the files of records; the images in them are found by `find_examples`, on workers."""
        for subset, paths, _ in self._splits.values():
            for path in paths:
                yield SourceImage(files.name_of(path), "", subset if self._has_val else "", Location(path, "examples"))


def is_data_set(place: str) -> bool:
    """Returns whether a place is a name of a data set, or the directory of one."""
    return place.startswith(PREFIX) or files.exists(files.join(place, _INFO))


def find_below(place: str) -> str | None:
    """Finds the directory of a data set below a folder.

    Args:
        place: the folder.

    Returns:
        If it holds folders of versions, the newest; if it holds folders of configurations with those, the only one's
        newest; None if it holds neither.

    Raises:
        UserError: there are several configurations.
        OSError: a folder cannot be read.
    """
    if newest := _newest_version(place):
        return newest
    configurations = {}
    for name in files.list_folders(place)[:_MOST_CONFIGURATIONS]:
        if newest := _newest_version(files.join(place, name)):
            configurations[name] = newest
    if len(configurations) > 1:
        raise UserError(
            f"--input {place} holds several data sets of TensorFlow Datasets; name one: "
            + ", ".join(sorted(configurations.values()))
        )
    return next(iter(configurations.values()), None)


def _newest_version(folder: str) -> str | None:
    """The folder of the newest version of a data set that was prepared."""
    versions = [match for name in files.list_folders(folder) if (match := _VERSION.fullmatch(name))]
    for match in sorted(versions, key=lambda match: [int(part) for part in match.groups()], reverse=True):
        if files.exists(files.join(folder, match.string, _INFO)):
            return files.join(folder, match.string)
    return None


def find_examples(
    file: SourceImage, example_format: ExampleFormat, ignored: Counter[str] | None = None
) -> Iterator[SourceImage]:
    """Finds the images in a file of records.

    Args:
        file: what `TfdsSource.images` gave.
        example_format: what the features are called.
        ignored: counts the records that are left out, by the reason.

    Yields:
        An image for each record whose label is that of a domain; its location is that of the record's data.

    Raises:
        UserError: the file is damaged.
    """
    ignored = Counter() if ignored is None else ignored
    names, offset = example_format.names, 0
    with files.open_file(file.location.path) as records:
        try:
            for number, header in enumerate(iter(lambda: records.read(HEADER_BYTES), b"")):
                length = read_length(header)
                data = records.read(record_bytes(length) - HEADER_BYTES)[:length]
                (label,) = decode_example(data)[example_format.label]
                if label == -1:  # TensorFlow Datasets writes it where a data set keeps the label to itself
                    ignored["examples without a label (-1)"] += 1
                elif not 0 <= label < len(names):
                    ignored[f"examples with a label outside 0 to {len(names) - 1}"] += 1
                elif (domain := names[label]) is None:
                    ignored[UNNAMED] += 1
                else:
                    location = Location(file.location.path, "example", offset + HEADER_BYTES, length)
                    yield SourceImage(f"{file.key}/{number:08d}", domain, file.subset, location)
                offset += record_bytes(length)
        except (CorruptRecord, ValueError, KeyError) as error:
            raise UserError(f"{file.location.path} is damaged at byte {offset}: {error}") from error
