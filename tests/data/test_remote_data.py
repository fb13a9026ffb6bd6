"""Training reads data on stores as it reads local data."""

import pytest

from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data.input_pipeline import read_images, training_dataset
from stargan_tf.data.records import check_data_directory, fingerprint, open_data_directory
from tests.stores import upload

from .test_input_pipeline import assert_equal, take


@pytest.fixture(scope="module")
def remote_path(store, data_path):
    upload(data_path, f"{store}/folder")
    return f"{store}/folder"


@pytest.mark.slow
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


def test_what_is_not_there_is_told(store, remote_path):
    with pytest.raises(UserError, match=f"data directory {store}/none does not exist"):
        check_data_directory(f"{store}/none")
    files.write(f"{remote_path}_other/dataset_info.json", b"{}")
    with pytest.raises(UserError, match=f"{remote_path}_other is not a data directory, since it has no features.json"):
        check_data_directory(f"{remote_path}_other")
