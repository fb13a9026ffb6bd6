"""Data on other file systems: TensorFlow's ram://, and memory:// of fsspec, for what TensorFlow does not know."""

from pathlib import Path

import fsspec
import pytest
import tensorflow as tf

from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data.input_pipeline import read_images, training_dataset
from stargan_tf.data.records import check_data_directory, fingerprint, open_data_directory

from .test_input_pipeline import assert_equal, take

SCHEMES = ("ram://", "memory://")


def create(path):
    return tf.io.gfile.GFile(path, "wb") if path.startswith("ram://") else fsspec.open(path, "wb").open()


@pytest.fixture(scope="module", params=SCHEMES)
def folder(request):
    return f"{request.param}bucket/folder"


@pytest.fixture(scope="module")
def remote_path(folder, data_path):
    if folder.startswith("ram://"):
        tf.io.gfile.makedirs(folder)
    for path in Path(data_path).iterdir():
        with create(f"{folder}/{path.name}") as file:
            file.write(path.read_bytes())
    return folder


def test_training_reads_the_same_from_any_file_system(remote_path, data):
    remote = open_data_directory(remote_path)
    assert remote.path == remote_path
    assert (remote.domains, remote.num_examples) == (data.domains, data.num_examples)
    assert remote.shards("train_cat")[0].startswith(f"{remote_path}/images-train_cat.tfrecord-")
    config = DataConfig(batch_size=4)
    assert_equal(
        take(training_dataset(remote, config, seed=1, start_step=5), 3),
        take(training_dataset(data, config, seed=1, start_step=5), 3),
    )
    assert fingerprint(remote) == fingerprint(data)
    assert read_images(remote, "val_cat")[1] == read_images(data, "val_cat")[1]


def test_what_is_there(remote_path):
    file = files.join(remote_path, "features.json")
    assert files.is_folder(remote_path) and not files.is_folder(file) and not files.is_folder(remote_path + "/none")
    assert files.is_file(file) and not files.is_file(remote_path) and not files.is_file(file + ".none")
    assert "features.json" in files.list_names(remote_path)
    assert files.size(file) == len(files.read(file))
    memory = memoryview(bytearray(100))
    assert files.read_range(file, 3, 20, memory) == files.read(file)[3:23]
    with pytest.raises(OSError, match=r"none|NotFoundError"):
        files.read(file + ".none")


def test_what_is_not_there_is_told(folder, remote_path):
    with pytest.raises(UserError, match=f"data directory {folder}/none does not exist"):
        check_data_directory(f"{folder}/none")
    with create(f"{folder}_other/dataset_info.json") as file:
        file.write(b"{}")
    with pytest.raises(UserError, match=f"{folder}_other is not a data directory, since it has no features.json"):
        check_data_directory(f"{folder}_other")


def test_a_file_system_that_nothing_can_read_is_told():
    with pytest.raises(
        UserError, match=r"nothing here can read nowhere://bucket/data .*TensorFlow knows file://.*ram:/"
    ):
        check_data_directory("nowhere://bucket/data")


def test_a_local_range_ends_with_its_file(tmp_path):
    (tmp_path / "file").write_bytes(b"0123456789")
    memory = memoryview(bytearray(100))
    assert files.read_range(str(tmp_path / "file"), 7, 20, memory) == b"789"
