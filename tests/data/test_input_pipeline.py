import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data.images import to_array
from stargan_tf.data.input_pipeline import read_images, training_dataset

from .conftest import SHARD_LENGTHS, make_image

PLAIN = DataConfig(batch_size=4, crop_probability=0.0, flip_probability=0.0)
IMAGES = ("source", "reference", "reference_2")


def take(dataset, count):
    return [{name: value.numpy() for name, value in batch.items()} for batch in itertools.islice(dataset, count)]


def identify(images):
    """Domain and number of each image of a batch, from its first pixel."""
    return [(red // 50, green) for red, green in images[:, 0, 0, :2].tolist()]


def assert_equal(batches, others):
    assert len(batches) == len(others) > 0
    for batch, other in zip(batches, others, strict=True):
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


@pytest.fixture(scope="module")
def batches(data):
    return take(training_dataset(data, PLAIN, seed=0), 300)


def test_shapes_and_ranges(data):
    dataset = training_dataset(data, DataConfig(batch_size=4), seed=0)
    for name in IMAGES:
        assert dataset.element_spec[name] == tf.TensorSpec((4, 16, 24, 3), tf.uint8)
    for name in ("source_domain", "target_domain"):
        assert dataset.element_spec[name] == tf.TensorSpec((4,), tf.int32)
    for batch in take(dataset, 3):
        for name in IMAGES:
            assert batch[name].min() < 10 and batch[name].max() > 245


def test_images_are_those_stored_and_domains_are_theirs(batches):
    for batch in batches[:5]:
        for name, domain in zip(IMAGES, ("source_domain", "target_domain", "target_domain"), strict=True):
            for image, (label, index), expected in zip(batch[name], identify(batch[name]), batch[domain], strict=True):
                assert label == expected
                np.testing.assert_array_equal(image, make_image(label, index))


def test_domains_have_equal_weight_and_are_independent(batches):
    sources = np.concatenate([batch["source_domain"] for batch in batches])
    targets = np.concatenate([batch["target_domain"] for batch in batches])
    for domains in (sources, targets):
        np.testing.assert_array_equal(np.bincount(domains), len(domains) // 3)
    counts = np.histogram2d(sources, targets, bins=3)[0] / len(sources)
    np.testing.assert_allclose(counts, 1 / 9, atol=0.035)


def test_references_are_two_images_and_every_image_is_seen(batches):
    seen = {name: set() for name in IMAGES}
    for batch in batches:
        assert all(a != b for a, b in zip(identify(batch["reference"]), identify(batch["reference_2"]), strict=True))
        for name in IMAGES:
            seen[name] |= set(identify(batch[name]))
    everything = {
        (label, index)
        for label, split in enumerate(["train_cat", "train_t_shirt", "train_zebra"])
        for index in range(sum(SHARD_LENGTHS[split]))
    }
    assert seen["source"] == seen["reference"] == seen["reference_2"] == everything


def test_batches_follow_from_seed_and_start(data):
    config = DataConfig(batch_size=4)
    batches = take(training_dataset(data, config, seed=7), 6)
    assert_equal(batches[2:], take(training_dataset(data, config, seed=7, start_step=2), 4))
    others = take(training_dataset(data, config, seed=8), 6)
    for batch, same_seed, other in zip(batches[:-1], batches[1:], others[:-1], strict=True):
        assert not np.array_equal(batch["source"], same_seed["source"])
        assert not np.array_equal(batch["source"], other["source"])


@pytest.mark.slow
def test_a_new_process_goes_on_bit_by_bit(data, data_path, tmp_path):
    """As after a restore: nothing but the step is handed over."""
    config = DataConfig(batch_size=4)
    code = (
        "import itertools, sys, numpy as np\n"
        "from stargan_tf.config import DataConfig\n"
        "from stargan_tf.data.input_pipeline import training_dataset\n"
        "from stargan_tf.data.records import open_data_directory\n"
        "data = open_data_directory(sys.argv[1])\n"
        "dataset = training_dataset(data, DataConfig(batch_size=4), seed=7, start_step=50)\n"
        "for i, batch in enumerate(itertools.islice(dataset, 3)):\n"
        "    np.savez(f'{sys.argv[2]}/{i}.npz', **{name: value.numpy() for name, value in batch.items()})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(data_path), str(tmp_path)], check=True)
    resumed = [dict(np.load(tmp_path / f"{i}.npz")) for i in range(3)]
    assert_equal(take(training_dataset(data, config, seed=7), 53)[50:], resumed)


@pytest.mark.parametrize("num_workers", [2, 4])
def test_workers_together_read_the_batch_of_one(data, num_workers):
    config = DataConfig(batch_size=4)
    parts = [
        take(training_dataset(data, config, seed=3, start_step=5, worker=worker, num_workers=num_workers), 3)
        for worker in range(num_workers)
    ]
    assert len(parts[0][0]["source"]) == 4 // num_workers
    joined = [
        {name: np.concatenate([part[name] for part in step]) for name in step[0]} for step in zip(*parts, strict=True)
    ]
    assert_equal(joined, take(training_dataset(data, config, seed=3, start_step=5), 3))


def test_a_batch_that_workers_cannot_share_is_refused(data):
    with pytest.raises(UserError, match="a batch of 4 cannot be split evenly over 3 workers"):
        training_dataset(data, PLAIN, seed=0, num_workers=3)


@pytest.mark.slow
def test_an_epoch_has_every_image_once(batches):
    """As a source; of references an odd number leaves one out, and pairs never cross the end of an epoch."""
    seen = {domain: [] for domain in range(3)}
    pairs = {domain: [] for domain in range(3)}
    for batch in batches:
        for label, index in identify(batch["source"]):
            seen[label].append(index)
        for first, second in zip(identify(batch["reference"]), identify(batch["reference_2"]), strict=True):
            pairs[first[0]] += [first[1], second[1]]
    for domain, count in enumerate((2, 41, 5)):
        whole = len(seen[domain]) // count * count
        epochs = np.reshape(seen[domain][:whole], (-1, count))
        assert len(epochs) >= 9
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(count), (len(epochs), 1)))
        usable = count // 2 * 2
        whole = len(pairs[domain]) // usable * usable
        for epoch in np.reshape(pairs[domain][:whole], (-1, usable)):
            assert len(set(epoch)) == usable


def test_images_are_augmented_independently(data):
    """All three of a step go through the augmentation, each with choices of its own."""
    flips = dataclasses.replace(PLAIN, flip_probability=0.5)
    flipped = {name: [] for name in IMAGES}
    for batch in take(training_dataset(data, flips, seed=0), 40):
        for name in IMAGES:
            for image, (label, index) in zip(batch[name], identify(batch[name]), strict=True):
                stored = np.asarray(make_image(label, index))
                is_flipped = np.array_equal(image, stored[:, ::-1])
                assert is_flipped or np.array_equal(image, stored)
                flipped[name].append(is_flipped)
    for name in IMAGES:
        assert np.mean(flipped[name]) == pytest.approx(0.5, abs=0.15)
    assert np.mean(np.equal(flipped["source"], flipped["reference"])) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize(("count", "split"), [(1, "train_zebra"), (0, "train_zebra")])
def test_a_domain_without_two_images_is_named(data, count, split):
    data = dataclasses.replace(data, num_examples={**data.num_examples, split: count})
    with pytest.raises(UserError, match=f"domain 'zebra' .* has {count} training image"):
        training_dataset(data, PLAIN, seed=0)


def test_read_images_in_order(data):
    images, keys, attributes = read_images(data, "train_t_shirt", limit=25)  # Reaches into the second shard.
    assert images.shape == (25, 16, 24, 3) and images.dtype == np.float32
    assert keys == [f"train/t-shirt/{i:03d}.png" for i in range(25)]
    assert attributes == [{"index": i} for i in range(25)]
    for index, image in enumerate(images):
        np.testing.assert_array_equal(image, to_array(make_image(1, index)))
    assert len(read_images(data, "val_cat")[1]) == 3


def test_read_images_of_an_unknown_split(data):
    with pytest.raises(UserError, match="no split 'val_zebra'"):
        read_images(data, "val_zebra")


@pytest.mark.slow
def test_a_process_that_still_refers_to_an_iterator_ends_in_order(data_path):
    """Unguarded, calls from tf.data's threads hang or abort the interpreter when it is taken down."""
    code = (
        "import sys\n"
        "from stargan_tf.config import DataConfig\n"
        "from stargan_tf.data.input_pipeline import training_dataset\n"
        "from stargan_tf.data.records import open_data_directory\n"
        "batches = iter(training_dataset(open_data_directory(sys.argv[1]), DataConfig(batch_size=4), seed=7))\n"
        "next(batches)\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(data_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and "terminate" not in done.stderr
