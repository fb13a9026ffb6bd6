"""What processes compare tells apart whatever would make them train different networks."""

import dataclasses
import importlib.metadata
import shutil
from pathlib import Path

import pytest

import stargan_tf
from stargan_tf.config import resolve
from stargan_tf.data.records import open_data_directory
from stargan_tf.training.agreement import facts
from tests.fixtures import TINY, with_training

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(data_path):
    return open_data_directory(data_path)


@pytest.fixture(scope="module")
def config(data):
    return resolve(TINY, data.domains, data.image_size, data.image_config)


def different(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_other_data_are_told_apart_and_a_copy_is_not(data, config, data_path, tmp_path):
    run = tmp_path / "run"
    copy = shutil.copytree(data_path, tmp_path / "data")
    assert facts(config, open_data_directory(copy), run, None) == facts(config, data, run, None)
    shard = next(copy.glob("*train_circle*"))
    shard.write_bytes(shard.read_bytes() * 2)
    other = facts(config, open_data_directory(copy), run, None)
    assert different(facts(config, data, run, None), other) == {"the fingerprint of the data"}


@pytest.mark.parametrize("name", ["TF_ENABLE_ONEDNN_OPTS", "NVIDIA_TF32_OVERRIDE", "XLA_FLAGS"])
def test_another_environment_is_told_apart(name, data, config, tmp_path, monkeypatch):
    here = facts(config, data, tmp_path, None)
    monkeypatch.setenv(name, "0")
    assert different(here, facts(config, data, tmp_path, None)) == {name}


def test_other_settings_are_told_apart(data, config, tmp_path):
    other = with_training(config, steps=77, tf32=not config.training.tf32)
    other = dataclasses.replace(other, losses=dataclasses.replace(config.losses, lambda_cyc=2.0))
    names = different(facts(config, data, tmp_path, None), facts(other, data, tmp_path, None))
    assert names == {"--training.steps", "--training.tf32", "--losses.lambda_cyc"}


def test_another_version_of_tensorflow_is_told_apart(data, config, tmp_path, monkeypatch):
    here = facts(config, data, tmp_path, None)
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.99" if name == "tensorflow" else version(name))
    assert different(here, facts(config, data, tmp_path, None)) == {"tensorflow"}


def test_other_code_is_told_apart(data, config, tmp_path, monkeypatch):
    here = facts(config, data, tmp_path, None)
    copy = shutil.copytree(Path(stargan_tf.__file__).parent, tmp_path / "stargan_tf")
    monkeypatch.setattr(stargan_tf, "__file__", str(copy / "__init__.py"))
    assert facts(config, data, tmp_path, None) == here
    with (copy / "losses" / "terms.py").open("a") as file:
        file.write("\n")
    assert different(here, facts(config, data, tmp_path, None)) == {"the code of stargan_tf"}


def test_other_weights_to_start_from_are_told_apart(data, config, trained_run, tmp_path):
    here = facts(config, data, tmp_path / "run", trained_run)
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    assert facts(config, data, tmp_path / "run", copy) == here
    index = max((copy / "checkpoints").glob("*.index"), key=lambda path: path.stat().st_mtime)
    index.write_bytes(index.read_bytes() + b"\0")
    for other in (copy, None):
        assert different(here, facts(config, data, tmp_path / "run", other)) == {"--init_from"}
    names = different(facts(config, data, trained_run, None), facts(config, data, copy, None))
    assert names == {"the checkpoint of step 2"}
