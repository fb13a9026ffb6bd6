"""Damaged data as a training run meets it: an error that names the record, or records that are skipped and counted."""

import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data import records, tfds_metadata
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.images import to_array
from stargan_tf.data.input_pipeline import read_images, training_dataset
from stargan_tf.data.record_files import Place, RecordFiles
from stargan_tf.data.records import open_data_directory, serialize_example

from .conftest import DOMAINS, IMAGE_SIZE, make_image
from .test_input_pipeline import IMAGES, assert_equal, identify, take

CONFIG = DataConfig(batch_size=4, crop_probability=0.0, flip_probability=0.0)
STEPS = 60  # Several epochs of every domain.


@pytest.fixture
def copy(data, data_path, tmp_path):
    """A data directory of its own, to be damaged."""
    path = tmp_path / "data"
    shutil.copytree(data_path, path)
    paths = {split: tuple(str(path / Path(file).name) for file in files) for split, files in data.shard_paths.items()}
    return dataclasses.replace(data, path=path, shard_paths=paths)


def flip_byte(data, split, number):
    """Damages a byte in the middle of a record; returns its place."""
    files = RecordFiles(data.shards(split), data.shard_lengths[split])
    place = files.place(number)
    content = bytearray(Path(place.file).read_bytes())
    content[place.offset + 50] ^= 1
    Path(place.file).write_bytes(content)
    return place


def replace_image(data, split, image):
    """Makes a split's only shard anew, its first image being no image."""
    (path,) = data.shards(split)
    examples = [bytes(record.numpy()) for record in tf.data.TFRecordDataset(path)]
    with tf.io.TFRecordWriter(path) as writer:
        for serialized in [serialize_example(image, 2, "broken"), *examples[1:]]:
            writer.write(serialized)


def test_a_flipped_byte_is_an_error_that_names_file_record_and_byte(copy):
    place = flip_byte(copy, "train_t_shirt", 25)
    assert place.file.endswith("train_t_shirt.tfrecord-00001-of-00002") and place.number == 5
    corrupt = CorruptRecords(0)
    with pytest.raises(UserError) as error, corrupt.user_errors():
        take(training_dataset(copy, CONFIG, seed=0, corrupt=corrupt), STEPS)
    assert f"record 5 of {place.file} (at byte {place.offset}) is corrupt: the checksum of its data is wrong" in str(
        error.value
    )
    assert "--input.max_corrupt_records" in str(error.value)
    with pytest.raises(tf.errors.OpError, match=r"record 5 of .*the checksum of its data is wrong"):
        take(training_dataset(copy, CONFIG, seed=0), STEPS)


@pytest.mark.slow
def test_corrupt_records_are_skipped_counted_and_replaced(copy, data):
    places = [flip_byte(copy, "train_t_shirt", number) for number in (0, 25, 40)] + [flip_byte(copy, "train_zebra", 2)]
    corrupt = CorruptRecords(4)
    config = dataclasses.replace(CONFIG, max_corrupt_records=4)
    batches = take(training_dataset(copy, config, seed=0, corrupt=corrupt), STEPS)
    assert corrupt.count == 4
    assert corrupt.reasons == dict.fromkeys(places, "the checksum of its data is wrong")
    lost = {(1, 0), (1, 25), (1, 40), (2, 2)}
    for batch, whole in zip(batches, take(training_dataset(data, CONFIG, seed=0), STEPS), strict=True):
        for name in IMAGES:
            seen, wanted = identify(batch[name]), identify(whole[name])
            assert not lost & set(seen)
            assert [label for label, _ in seen] == [label for label, _ in wanted]  # Same domain.
        for row in range(4):
            if not {identify(whole[name])[row] for name in IMAGES} & lost:  # Replacing moves nothing else.
                assert identify(batch["source"])[row] == identify(whole["source"])[row]
        assert all(a != b for a, b in zip(identify(batch["reference"]), identify(batch["reference_2"]), strict=True))
    # Whoever starts later sees the same, having skipped nothing before.
    assert_equal(batches[40:50], take(training_dataset(copy, config, seed=0, start_step=40), 10))


def test_one_too_many(copy):
    for number in (3, 4, 5):
        flip_byte(copy, "train_t_shirt", number)
    corrupt = CorruptRecords(2)
    with (
        pytest.raises(UserError, match=r"that makes 3 where --input.max_corrupt_records allows 2"),
        corrupt.user_errors(),
    ):
        take(training_dataset(copy, CONFIG, seed=0, corrupt=corrupt), STEPS)


def test_a_truncated_file_is_told_before_the_first_batch(copy):
    path = Path(copy.shards("train_zebra")[0])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=rf"record 4 of {path} .* is corrupt: .*beyond the end of the file"):
        training_dataset(copy, CONFIG, seed=0)
    corrupt = CorruptRecords(1)
    for batch in take(training_dataset(copy, CONFIG, seed=0, corrupt=corrupt), STEPS):
        assert (2, 4) not in itertools.chain.from_iterable(identify(batch[name]) for name in IMAGES)
    assert corrupt.count == 1


def test_an_image_that_cannot_be_decoded(copy):
    replace_image(copy, "train_zebra", b"no image")
    corrupt = CorruptRecords(0)
    with (
        pytest.raises(UserError, match=r"record 0 of .*train_zebra.* is corrupt: its image cannot be decoded"),
        corrupt.user_errors(),
    ):
        take(training_dataset(copy, CONFIG, seed=0, corrupt=corrupt), STEPS)
    with pytest.raises(UserError, match=r"record 0 of .*train_zebra.* is corrupt: its image cannot be decoded"):
        read_images(copy, "train_zebra")


def test_a_domain_of_which_too_little_is_left(copy):
    flip_byte(copy, "train_cat", 0)
    corrupt = CorruptRecords(10)
    with pytest.raises(UserError, match=r"domain 'cat' .* has fewer than 2 training"), corrupt.user_errors():
        take(training_dataset(copy, CONFIG, seed=0, corrupt=corrupt), 10)


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), CorruptRecords(0).user_errors():
        _ = 1 / 0


def test_a_record_is_counted_once():
    corrupt = CorruptRecords(1)
    corrupt.add(Place("a", 0, 0), "bad")
    corrupt.add(Place("a", 0, 0), "bad")
    assert corrupt.count == 1
    with pytest.raises(UserError, match=r"record 7 of b .*that makes 2 where"):
        corrupt.add(Place("b", 7, 100), "bad")


@pytest.fixture(scope="module")
def decoded_path(tmp_path_factory):
    """A data directory whose images are stored decoded."""
    directory = tmp_path_factory.mktemp("decoded")
    splits = {}
    for label, domain in enumerate(DOMAINS):
        split = records.split_name("train", domain)
        with tf.io.TFRecordWriter(str(directory / records.shard_file(split, 0, 1))) as writer:
            for index in range(3):
                pixels = np.asarray(make_image(label, index)).tobytes()
                writer.write(serialize_example(pixels, label, f"{domain}/{index}"))
        splits[split] = tfds_metadata.SplitSummary((3,), 1)
    tfds_metadata.write_metadata(directory, DOMAINS, IMAGE_SIZE, splits, decoded=True)
    return directory


def test_decoded_images_are_read_as_tensorflow_datasets_reads_them(decoded_path):
    data = open_data_directory(decoded_path)
    assert data.decoded and data.image_size == IMAGE_SIZE
    images, _, _ = read_images(data, "train_zebra")
    examples = tfds.as_numpy(tfds.builder_from_directory(str(decoded_path)).as_dataset(split="train_zebra"))
    for index, (image, example) in enumerate(zip(images, examples, strict=True)):
        np.testing.assert_array_equal(image, to_array(make_image(2, index)))
        np.testing.assert_array_equal(example["image"], np.asarray(make_image(2, index)))
    for batch in take(training_dataset(data, CONFIG, seed=0), 3):
        for image, (label, index) in zip(batch["source"], identify(batch["source"]), strict=True):
            np.testing.assert_array_equal(image, make_image(label, index))


def test_another_form_of_tensor_is_refused(decoded_path, tmp_path):
    shutil.copytree(decoded_path, tmp_path / "copy")
    features = dict(tfds_metadata.features_dict(DOMAINS, IMAGE_SIZE))
    features["image"] = tfds.features.Tensor(shape=(*IMAGE_SIZE, 3), dtype=np.uint8, encoding="zlib")
    tfds.features.FeaturesDict(features).save_config(str(tmp_path / "copy"))
    with pytest.raises(UserError, match="Tensor of uint8 with encoding 'zlib'; only uint8 with encoding 'bytes'"):
        open_data_directory(tmp_path / "copy")
