import json
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_prep.shards import Shard, write_shard
from data_prep.sources import SourceOptions, find_examples, open_source, read_image
from data_prep.sources.labels import UNNAMED
from stargan_tf.base.errors import UserError
from stargan_tf.data.records import open_data_directory, serialize_example
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata
from tests.data_prep.jobs import noise, read_examples, run


def write_data_set(directory, splits, names=("dog", "cat")):
    """A directory of TensorFlow Datasets, ours for instance, with images and labels by split."""
    directory.mkdir(parents=True, exist_ok=True)
    summaries = {}
    for split, labelled in splits.items():
        examples = [(str(index), serialize_example(*pair, "key")) for index, pair in enumerate(labelled)]
        written = write_shard(Shard(split, 0, 1), examples, str(directory))
        summaries[split] = SplitSummary((len(labelled),), written.num_bytes)
    write_metadata(directory, names, (16, 16), summaries)
    return directory


def numbered(name, *labels):
    return [(f"{name}{index}".encode(), label) for index, label in enumerate(labels)]


def find(place, **options):
    """The source, its images, and what was left out while they were found."""
    source = open_source(str(place), SourceOptions(**options), "")
    files, ignored = list(source.images()), source.ignored.copy()
    return source, [image for file in files for image in find_examples(file, source.example_format, ignored)], ignored


def test_a_directory_of_tensorflow_datasets(tmp_path):
    splits = {
        "train": numbered("train", 0, 0, 0),
        "val_cat": numbered("val_cat", 1, 1, 1),
        "test": numbered("t", 0, 0, 0),
    }
    write_data_set(tmp_path, splits)
    source, images, ignored = find(tmp_path)
    assert source.domains == ("cat", "dog") and source.num_images == 6
    assert ignored == {"examples of split 'test'": 3}
    assert [(image.domain, image.subset) for image in images] == [("dog", "train")] * 3 + [("cat", "val")] * 3
    assert [read_image(image.location, 100, source.example_format) for image in images] == [
        f"{split}{i}".encode() for split in ("train", "val_cat") for i in range(3)
    ]
    for val_split, subsets in (("test", ["train"] * 3 + ["val"] * 3), ("hash", [""] * 3)):
        assert [image.subset for image in find(tmp_path, val_split=val_split)[1]] == subsets
    with pytest.raises(UserError, match=r"has no feature 'picture' that is an Image; it has .*image"):
        find(tmp_path, image_feature="picture")


def test_labels_that_are_none_are_left_out_and_counted(tmp_path):
    write_data_set(tmp_path, {"train": numbered("train", 0, -1, 1, 2, -1, -2)})
    source, images, ignored = find(tmp_path)
    assert [image.domain for image in images] == ["dog", "cat"]
    assert ignored == {"examples without a label (-1)": 2, "examples with a label outside 0 to 1": 2}
    assert source.num_images == len(images) + ignored.total()


def test_labels_are_chosen_and_renamed(tmp_path):
    write_data_set(tmp_path, {"train": numbered("train", 0, 1, 2, 3, 0)}, ("Tomato___healthy", "Apple", "Corn", "Fig"))
    source, images, ignored = find(tmp_path, domain=["tomato=Tomato___healthy", "Corn"])
    assert source.domains == ("Corn", "tomato")
    assert [image.domain for image in images] == ["tomato", "Corn", "tomato"]
    assert ignored == {UNNAMED: 2}


@pytest.mark.slow
def test_the_job_counts_what_workers_leave_out(tmp_path, capsys):
    images = []
    for index, label in enumerate((0, 0, 1, 1, 2, 2, -1)):
        noise(16, 24, index).save(tmp_path / "image.png")
        images.append(((tmp_path / "image.png").read_bytes(), label))
    write_data_set(tmp_path / "in", {"train": images}, ("dog", "cat", "owl"))
    flags = ("--domain", "dog", "--domain", "feline=cat", "--val_fraction", "0")
    assert run(tmp_path / "in", tmp_path / "out", *flags) == 0
    output = capsys.readouterr().out
    assert f"ignored: 2 {UNNAMED}" in output and "ignored: 1 examples without a label (-1)" in output
    assert sorted(split for split, _ in read_examples(tmp_path / "out")) == ["train_dog"] * 2 + ["train_feline"] * 2
    statistics = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert statistics["ignored"] == {UNNAMED: 2, "examples without a label (-1)": 1}


def test_folders_above_a_version_lead_to_the_newest(tmp_path):
    for version, label in (("1.9.0", 0), ("1.10.0", 1)):
        write_data_set(tmp_path / "pets" / "small" / version, {"train": numbered(version, label)})
    (tmp_path / "pets" / "small" / "2.0.0").mkdir()  # of a preparation that was stopped
    for place in ("pets/small/1.10.0", "pets/small", "pets"):
        assert [image.domain for image in find(tmp_path / place)[1]] == ["cat"]
    shutil.copytree(tmp_path / "pets" / "small", tmp_path / "pets" / "large")
    with pytest.raises(UserError, match=r"several data sets .*; name one: .*/pets/large/1.10.0, .*/pets/small/1.10.0"):
        find(tmp_path / "pets")


def test_the_supervised_form_of_our_own(tmp_path):
    noise(16, 16, 0).save(tmp_path / "image.png")
    data = write_data_set(tmp_path / "data", {"train_cat": [((tmp_path / "image.png").read_bytes(), 1)]})
    builder = tfds.builder_from_directory(data)
    ((image, label),) = tfds.as_numpy(builder.as_dataset(split="train_cat", as_supervised=True))
    assert image.shape == (16, 16, 3) and label == 1


def test_a_directory_without_supervised_keys_is_read_as_before(tmp_path):
    data = write_data_set(tmp_path, {"train_cat": numbered("cat", 1), "train_dog": numbered("dog", 0)})
    info = json.loads((data / "dataset_info.json").read_text())
    assert info.pop("supervisedKeys")
    (data / "dataset_info.json").write_text(json.dumps(info))
    assert open_data_directory(data).num_examples == {"train_cat": 1, "train_dog": 1}


class Pets(tfds.core.GeneratorBasedBuilder):
    """A data set as programs write it, whose test split has no labels."""

    VERSION = tfds.core.Version("2.0.1")

    def _info(self):
        labels = tfds.features.ClassLabel(names=["dog", "cat", "fox"])
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"picture": tfds.features.Image(), "species": labels})
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(0, [0, 1, 2, 1]), "test": self._generate_examples(4, [-1, -1, 0])}

    def _generate_examples(self, start, labels):
        for index, label in enumerate(labels, start=start):
            yield index, {"picture": np.asarray(noise(16, 24, index)), "species": label}


@pytest.mark.parametrize("place", ["", "pets", "pets/2.0.1"])
def test_what_the_library_writes(tmp_path, place):
    Pets(data_dir=tmp_path).download_and_prepare()
    features = {"image_feature": "picture", "label_feature": "species"}
    source, images, ignored = find(tmp_path / place, **features, val_split="test", domain=["cat", "hound=dog"])
    assert source.domains == ("cat", "hound")
    assert sorted((image.domain, image.subset) for image in images) == [
        *(("cat", "train"), ("cat", "train"), ("hound", "train"), ("hound", "val"))
    ]
    assert ignored == {"examples without a label (-1)": 2, UNNAMED: 1}
    assert source.num_images == len(images) + ignored.total()


def test_labels_without_names_are_named(tmp_path):
    data = write_data_set(tmp_path, {"train": numbered("train", 0, 1)})
    features = json.loads((data / "features.json").read_text())
    features["featuresDict"]["features"]["label"]["classLabel"] = {}
    (data / "features.json").write_text(json.dumps(features))
    (data / "label.labels.txt").unlink()
    with pytest.raises(UserError, match="does not tell the names of 'label', nor how many there are"):
        find(tmp_path)


def test_what_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / "1.0.0").mkdir()
    (tmp_path / "1.0.0" / "dataset_info.json").write_text('{"name": ')
    for place in (tmp_path, "tfds:no_such_data_set"):
        with pytest.raises(UserError, match="cannot be opened by TensorFlow Datasets: ") as error:
            open_source(str(place), SourceOptions(), "")
        assert "\n" not in str(error.value)
