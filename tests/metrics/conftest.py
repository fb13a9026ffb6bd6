"""Pictures of the generated data set; a small data directory learnt in seconds, and a classifier that has learnt it."""

import io

import numpy as np
import pytest
from PIL import Image

from data_prep import synthetic
from data_prep.shards import Shard, write_shard
from stargan_tf.data.records import open_data_directory, serialize_example, split_name
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata
from stargan_tf.metrics import classifier
from stargan_tf.metrics.classifier import Settings

# Stripes that lie, and stripes that stand: no colour and no average tells them apart.
DOMAINS = ("lying", "standing")
COUNTS = {"train": 40, "val": 20}
SIZE = (16, 20)

SETTINGS = Settings(widths=(8, 16), steps=60, rows=8, learning_rate=1e-2)


def stripes(domain: str, rng: np.random.Generator) -> np.ndarray:
    """Draws stripes of any colours, width and phase, [*SIZE, 3] uint8."""
    place = np.mgrid[: SIZE[0], : SIZE[1]][DOMAINS.index(domain)]
    wave = np.sin(place * rng.uniform(1.0, 2.0) + rng.uniform(0, 2 * np.pi))[..., None]
    light, dark = rng.uniform(120, 255, 3), rng.uniform(0, 120, 3)
    return np.where(wave > 0, light, dark).astype(np.uint8)


@pytest.fixture(scope="session")
def striped_data(tmp_path_factory):
    """The data directory, opened."""
    directory, splits = tmp_path_factory.mktemp("striped") / "data", {}
    directory.mkdir()
    rng = np.random.default_rng(0)
    for label, domain in enumerate(DOMAINS):
        for subset, count in COUNTS.items():
            examples = []
            for index in range(count):
                encoded = io.BytesIO()
                Image.fromarray(stripes(domain, rng)).save(encoded, "PNG")
                key = f"{subset}/{domain}/{index:03}.png"
                examples.append((key, serialize_example(encoded.getvalue(), label, key)))
            shard = write_shard(Shard(split_name(subset, domain), 0, 1), examples, str(directory))
            splits[split_name(subset, domain)] = SplitSummary((count,), shard.num_bytes)
    write_metadata(directory, DOMAINS, SIZE, splits)
    return open_data_directory(directory)


@pytest.fixture(scope="session")
def classifier_cache(tmp_path_factory):
    """The directory that `trained_classifier` is kept in."""
    return tmp_path_factory.mktemp("cache") / "metrics"


@pytest.fixture(scope="session")
def trained_classifier(striped_data, classifier_cache):
    """A classifier trained with `SETTINGS`."""
    return classifier.load_or_train(striped_data, classifier_cache, SETTINGS)


@pytest.fixture(scope="session")
def factors():
    """Of 40 pictures of each shape."""
    rng = np.random.default_rng(7)
    return [synthetic.random_factors(domain, rng) for domain in synthetic.DOMAINS for _ in range(40)]
