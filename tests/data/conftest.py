"""A small data directory, written without Beam."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from data_prep.shards import Shard, write_shard
from stargan_tf.data.records import open_data_directory, serialize_example, split_name
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata

DOMAINS = ("cat", "t-shirt", "zebra")
IMAGE_SIZE = (16, 24)
# Very different sizes; t-shirt in two shards.
SHARD_LENGTHS = {
    "train_cat": (2,),
    "train_t_shirt": (20, 21),
    "train_zebra": (5,),
    "val_cat": (3,),
    "val_t_shirt": (1,),
}


def make_image(label, index):
    """An image of which each pixel tells the domain and the number: red and green; blue is noise."""
    pixels = np.random.default_rng([label, index]).integers(0, 256, (*IMAGE_SIZE, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 50 * label, index
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def data_path(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data_directory")
    splits = {}
    for label, domain in enumerate(DOMAINS):
        for subset in ("train", "val"):
            split, first, written = split_name(subset, domain), 0, []
            for shard, count in enumerate(SHARD_LENGTHS.get(split, ())):
                examples = []
                for index in range(first, first + count):
                    encoded = io.BytesIO()
                    make_image(label, index).save(encoded, "PNG")
                    key = f"{subset}/{domain}/{index:03d}.png"
                    attributes = json.dumps({"index": index})
                    examples.append((key, serialize_example(encoded.getvalue(), label, key, attributes)))
                first += count
                written.append(write_shard(Shard(split, shard, len(SHARD_LENGTHS[split])), examples, str(directory)))
            if written:
                lengths = tuple(shard.num_examples for shard in written)
                splits[split] = SplitSummary(lengths, sum(shard.num_bytes for shard in written))
    write_metadata(directory, DOMAINS, IMAGE_SIZE, splits)
    return directory


@pytest.fixture(scope="session")
def data(data_path):
    return open_data_directory(data_path)
