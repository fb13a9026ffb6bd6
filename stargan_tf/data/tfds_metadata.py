"""The metadata with which TensorFlow Datasets reads a data directory."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stargan_tf.data.records import ATTRIBUTES, DATASET_NAME, IMAGE, KEY, LABEL

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

_DATASET_VERSION = "1.0.0"


@dataclass(frozen=True)
class SplitSummary:
    """What was written of one split.

    Args:
        shard_lengths: number of examples of each shard.
        num_bytes: size of all shards together.
    """

    shard_lengths: tuple[int, ...]
    num_bytes: int


def features_dict(
    domains: Sequence[str], image_size: tuple[int, int], decoded: bool = False
) -> "tfds.features.FeaturesDict":
    """Describes an Example to TensorFlow Datasets.

    Args:
        domains: names of the domains, in the order of their labels.
        image_size: height and width in pixels.
        decoded: whether images are stored as pixels instead of JPEGs and PNGs.

    Returns:
        The features, by name.
    """
    import tensorflow_datasets as tfds

    shape = (*image_size, 3)
    # An image without encoding_format may be a JPEG or a PNG, and is read as what it is.
    image = (
        tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding="bytes")
        if decoded
        else tfds.features.Image(shape=shape)
    )

    return tfds.features.FeaturesDict(
        {
            IMAGE: image,
            LABEL: tfds.features.ClassLabel(names=list(domains)),
            KEY: tfds.features.Text(),
            ATTRIBUTES: tfds.features.Text(),
        }
    )


def write_metadata(
    directory: str | os.PathLike[str],
    domains: Sequence[str],
    image_size: tuple[int, int],
    splits: Mapping[str, SplitSummary],
    decoded: bool = False,
) -> None:
    """Makes a directory of shards a TensorFlow Datasets directory.

    Args:
        directory: where the shards are, named by `shard_file`.
        domains: names of the domains, in the order of their labels.
        image_size: height and width in pixels.
        splits: what was written, by name of the split.
        decoded: whether images are stored as pixels instead of JPEGs and PNGs.
    """
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=os.fspath(directory), dataset_name=DATASET_NAME, filetype_suffix="tfrecord"
    )
    tfds.folder_dataset.write_metadata(
        data_dir=os.fspath(directory),
        features=features_dict(domains, image_size, decoded),
        split_infos=[
            tfds.core.SplitInfo(
                name=name,
                shard_lengths=list(summary.shard_lengths),
                num_bytes=summary.num_bytes,
                filename_template=template,
            )
            for name, summary in splits.items()
        ],
        version=_DATASET_VERSION,
        check_data=False,
        description="Images of several domains, one split a domain.",
        supervised_keys=(IMAGE, LABEL),
    )
