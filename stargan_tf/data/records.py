"""What one Example holds, and what a data directory is.

A data directory is a TensorFlow Datasets directory: TFRecord files of Examples, with one split `train_NAME` and one
`val_NAME` for each domain that has such images, and the metadata with which `tfds.builder_from_directory` reads it.
"""

import contextlib
import functools
import hashlib
import itertools
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.config.images import UNRECORDED, ImageConfig
from stargan_tf.data import manifest
from stargan_tf.data.example_format import encode_example

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

IMAGE = "image"  # All of one size, RGB: a JPEG, a PNG, or the uint8 pixels themselves, row by row.
LABEL = "label"  # Index into the ordered names of the domains.
KEY = "key"  # Path of the image relative to the input of the Beam job; tells examples apart.
ATTRIBUTES = "attributes"  # What else is known of the image: a JSON object as text, "{}" if nothing is.

SUBSETS = ("train", "val")

DATASET_NAME = "images"

# The files of metadata without which there is no data directory; those with names of labels are besides.
_METADATA = ("dataset_info.json", "features.json")

# Bytes: file systems allow 255 for the name of a file, of which those of a shard and of an incomplete file are a part.
_LONGEST_SPLIT = 160


def split_name(subset: str, domain: str) -> str:
    """Gives the name of the split that holds one domain's part of a subset.

    Args:
        subset: "train" or "val".
        domain: name of the domain, "t-shirt" for instance.

    Returns:
        The name, "train_t_shirt" for instance: TensorFlow Datasets takes letters, digits and underscores only.
    """
    return f"{subset}_" + re.sub(r"\W", "_", domain)


def check_domains(domains: Sequence[str]) -> None:
    """Checks that every domain can have splits of its own.

    Args:
        domains: names of the domains.

    Raises:
        UserError: two domains would have the same split, or a name cannot be written on one line or is too long for
            names of files.
    """
    seen: dict[str, str] = {}
    for domain in domains:
        if domain != domain.strip() or not domain.isprintable():
            raise UserError(f"domain {domain!r} begins or ends with a space or has unprintable characters; rename it")
        if (length := len(os.fsencode(split_name("train", domain)))) > _LONGEST_SPLIT:
            raise UserError(
                f"domain {domain[:40]!r}... is too long for the names of files, where it takes {length} bytes of the "
                f"{_LONGEST_SPLIT} that there are; rename it"
            )
        other = seen.setdefault(split_name("train", domain), domain)
        if other != domain:
            raise UserError(
                f"domains {other!r} and {domain!r} would both be written as split {split_name('train', domain)!r}; "
                "rename one so that they differ in letters or digits"
            )


def shard_file(split: str, index: int, num_shards: int) -> str:
    """Gives the name of the file of one shard.

    Args:
        split: name of the split.
        index: which shard, from 0.
        num_shards: number of shards of the split.

    Returns:
        The file's name within the data directory.
    """
    return f"{DATASET_NAME}-{split}.tfrecord-{index:05d}-of-{num_shards:05d}"


def serialize_example(image: bytes, label: int, key: str, attributes: str = "{}") -> bytes:
    """Serializes one Example.

    Args:
        image: encoded image.
        label: index of the domain.
        key: path of the image relative to the input.
        attributes: a JSON object as text.

    Returns:
        A serialized `tf.train.Example`; the same arguments give the same bytes.
    """
    return encode_example({IMAGE: image, LABEL: label, KEY: key.encode(), ATTRIBUTES: attributes.encode()})


@dataclass(frozen=True)
class DataDirectory:
    """A data directory that was opened; see `open_data_directory`.

    Args:
        path: the directory, local or remote (`gs://bucket/folder`).
        domains: names of the domains, in the order of their labels.
        image_size: height and width in pixels.
        num_examples: number of examples by name of the split.
        shard_paths: files by name of the split, in order.
        shard_lengths: number of examples of each of these files, by name of the split.
        decoded: whether images are stored decoded: the feature is a Tensor of uint8 with encoding "bytes", which is
            height * width * 3 bytes, and not an Image.
        image_config: how the images were prepared, as far as it is recorded.
    """

    path: str
    domains: tuple[str, ...]
    image_size: tuple[int, int]
    num_examples: Mapping[str, int]
    shard_paths: Mapping[str, tuple[str, ...]]
    shard_lengths: Mapping[str, tuple[int, ...]]
    decoded: bool = False
    image_config: ImageConfig = UNRECORDED

    def shards(self, split: str) -> tuple[str, ...]:
        """Gives the files of one split.

        Args:
            split: name of the split, as from `split_name`.

        Returns:
            Paths, in order.

        Raises:
            UserError: there is no such split.
        """
        if split not in self.shard_paths:
            raise UserError(f"data directory {self.path} has no split {split!r}; it has {', '.join(self.shard_paths)}")
        return self.shard_paths[split]


def fingerprint(data: DataDirectory) -> str:
    """Tells data apart by content: a hash over the names and the contents of all shards.

    Hashes are those of the manifest where it lists a shard with the size that the file has; the job's `--verify` reads
    the files. Others are read, once in a process.

    Args:
        data: an open data directory.

    Returns:
        A SHA-256 hash, 64 hexadecimal digits; wherever the directory lies, the same data gives the same.

    Raises:
        UserError: the manifest is damaged.
    """
    listed, there = manifest.listed_files(data.path), files.sizes(data.path)
    whole = hashlib.sha256()
    for path in sorted(itertools.chain.from_iterable(data.shard_paths.values()), key=files.name_of):
        name = files.name_of(path)
        entry, size = listed.get(name, {}), there.get(name)
        known = entry.get("sha256") if size is not None and entry.get("bytes") == size else None
        whole.update(f"{known or _hash_of(path, size, _changed(path))}  {name}\n".encode())
    return whole.hexdigest()


def _changed(path: str) -> int:
    """Returns when a local file was changed, in nanoseconds; stores tell nothing that is worth a request a shard."""
    return 0 if files.is_remote(path) else Path(path).stat().st_mtime_ns


@functools.cache
def _hash_of(path: str, size: int | None, changed: int) -> str:
    """Reads a shard, unless this process has read it since it was changed."""
    return manifest.hash_file(path)[0]


def check_data_directory(path: str | os.PathLike[str]) -> None:
    """Checks that a data directory is there; for a local path, without what takes seconds to import.

    Args:
        path: the directory, local or of a file system that `stargan_tf.base.files` reads.

    Raises:
        UserError: it is missing, or is not a data directory.
    """
    path = os.fspath(path)
    advice = "make one with `python -m data_prep.images_to_tfrecords`"
    try:
        if not files.is_folder(path):
            raise UserError(f"data directory {path} does not exist; {advice}")
        for name in _METADATA:
            if not files.exists(files.join(path, name)):
                raise UserError(f"{path} is not a data directory, since it has no {name}; {advice}")
    except OSError as error:
        raise UserError(f"data directory {path} cannot be read ({error.strerror or error})") from error


def open_data_directory(path: str | os.PathLike[str]) -> DataDirectory:
    """Reads the metadata of a data directory.

    Args:
        path: the directory, local or of a file system that `stargan_tf.base.files` reads.

    Returns:
        What is in it.

    Raises:
        UserError: `path` is missing, or is not a data directory.
    """
    check_data_directory(path)
    path = os.fspath(path)

    # Only now: this takes seconds, and the mistakes above should be told at once.
    import tensorflow_datasets as tfds

    advice = "make one with `python -m data_prep.images_to_tfrecords`"
    try:
        with _local_metadata(path) as directory:
            info = tfds.builder_from_directory(directory).info
    except Exception as error:  # TensorFlow Datasets promises no particular one for damaged metadata.
        raise UserError(f"the metadata of data directory {path} cannot be read ({error}); {advice}") from error
    missing = [name for name in (IMAGE, LABEL, KEY, ATTRIBUTES) if name not in info.features]
    if missing:
        raise UserError(f"the examples of {path} have no feature {missing[0]!r}; {advice}")
    height, width, _ = info.features[IMAGE].shape
    decoded = isinstance(info.features[IMAGE], tfds.features.Tensor)
    if decoded and _tensor_form(info.features[IMAGE]) != ("uint8", "bytes"):
        dtype, encoding = _tensor_form(info.features[IMAGE])
        raise UserError(
            f"{path} stores images as a Tensor of {dtype} with encoding {encoding!r}; only uint8 with encoding 'bytes' "
            "can be read"
        )
    shards = {name: [files.name_of(os.fspath(file)) for file in split.filepaths] for name, split in info.splits.items()}
    return DataDirectory(
        path=path,
        domains=tuple(info.features[LABEL].names),
        image_size=(height, width),
        num_examples={name: split.num_examples for name, split in info.splits.items()},
        shard_paths={name: tuple(files.join(path, shard) for shard in names) for name, names in shards.items()},
        shard_lengths={name: tuple(split.shard_lengths) for name, split in info.splits.items()},
        decoded=decoded,
        image_config=manifest.prepared_image_config(path),
    )


@contextlib.contextmanager
def _local_metadata(path: str) -> Iterator[str]:
    """Yields a local directory with the metadata: TensorFlow Datasets does not know all file systems that are read."""
    if not files.is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as directory:
        for name in files.list_files(path):
            if name in _METADATA or name.endswith(".labels.txt"):
                (Path(directory) / name).write_bytes(files.read(files.join(path, name)))
        yield directory


def _tensor_form(feature: "tfds.features.Tensor") -> tuple[str, str]:
    """Returns type and encoding of a Tensor feature, as features.json tells them."""
    stored = feature.to_json_content()
    return stored.dtype, stored.encoding
