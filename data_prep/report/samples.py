"""Images of a data directory as thumbnails."""

import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from data_prep.report.rendering import jpeg_url
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.records import IMAGE, KEY, split_name
from stargan_tf.data.tfrecord import CorruptRecord, read_records

_THUMBNAIL = 128  # the longer side, in pixels


@dataclass(frozen=True)
class Sample:
    """An image of the data, ready to be shown.

    Args:
        key: key of its example.
        subset: train or val.
        address: a data URL.
    """

    key: str
    subset: str
    address: str


def of_domain(directory: str, manifest: Mapping[str, Any], domain: str, count: int) -> list[Sample]:
    """Chooses images of a domain, about a quarter of them from validation.

    Args:
        directory: data directory.
        manifest: content of its manifest.
        domain: name of the domain.
        count: how many images to choose; fewer if there are fewer.

    Returns:
        The images of training, then those of validation.

    Raises:
        UserError: a damaged file.
    """
    train = list(_spread(directory, manifest, split_name("train", domain), count))
    val = list(_spread(directory, manifest, split_name("val", domain), max(1, count // 4)))
    return [*train[: count - len(val)], *val]


def find(
    directory: str, manifest: Mapping[str, Any], wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Sample]:
    """Finds images.

    Args:
        directory: data directory.
        manifest: content of its manifest.
        wanted: split and key of each image.

    Returns:
        The images by split and key.

    Raises:
        UserError: a damaged file.
    """
    keys = defaultdict(set)
    for split, key in wanted:
        keys[split].add(key)
    return {
        (split, key): _sample(key, split, image, manifest["settings"])
        for split, of_split in keys.items()
        for name, _ in _shards(manifest, split)
        for key, image in _read_shard(directory, name)
        if key in of_split
    }


def _spread(directory: str, manifest: Mapping[str, Any], split: str, count: int) -> Iterator[Sample]:
    """Images from all over the first shards of a split."""
    shards = _shards(manifest, split)
    per_shard = -(-count // max(1, len(shards)))
    for name, entry in shards[:count]:
        # At equal distances, so that not all images come from the same photographer.
        step = max(1, entry["examples"] // per_shard)
        for number, (key, image) in enumerate(_read_shard(directory, name)):
            if number % step == 0 and number // step < per_shard:
                yield _sample(key, split, image, manifest["settings"])


def _sample(key: str, split: str, stored: bytes, settings: Mapping[str, Any]) -> Sample:
    """Makes a thumbnail of a stored image."""
    if settings["encoding"] == "raw":
        image = Image.fromarray(np.frombuffer(stored, np.uint8).reshape(*settings["image_size"], 3))
    else:
        image = Image.open(io.BytesIO(stored)).convert("RGB")
    image.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return Sample(key, split.partition("_")[0], jpeg_url(image, quality=85))


def _shards(manifest: Mapping[str, Any], split: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and entries of the shards of a split that have examples, in order."""
    return [
        (name, entry)
        for name, entry in sorted(manifest["files"].items())
        if entry.get("examples") and name.partition("-")[2].partition(".")[0] == split
    ]


def _read_shard(directory: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Key and stored bytes of every image of a shard."""
    try:
        with files.open_file(files.join(directory, name)) as file:
            for record in read_records(file):
                example = decode_example(record)
                key, image = example[KEY][0], example[IMAGE][0]
                assert isinstance(key, bytes) and isinstance(image, bytes)  # as the job writes them
                yield key.decode(), image
    except (CorruptRecord, ValueError, KeyError) as error:
        raise UserError(f"{files.join(directory, name)} is damaged: {error}; make the data directory anew") from error
