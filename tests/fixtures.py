"""A small data directory and a small run, made by the commands that users run."""

from dataclasses import replace
from pathlib import Path

import pytest

from data_prep import images_to_tfrecords, synthetic
from stargan_tf import export
from stargan_tf.config import Config, DataConfig, ModelConfig, RunConfig
from stargan_tf.data.records import open_data_directory
from stargan_tf.serving.served_model import LocalModel
from stargan_tf.training.loop import train_and_evaluate

# Small enough that a step takes milliseconds; every step leaves a record and a checkpoint. One device, since compiling
# for two takes twice as long; test_distribution.py is about several.
TINY = Config(
    model=ModelConfig(latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8),
    input=DataConfig(batch_size=2),
    training=RunConfig(steps=2, devices=1, log_every=1, sample_every=2, checkpoint_every=1),
)


def with_training(config: Config, **changes) -> Config:
    """Returns the configuration with other fields of `training`."""
    return replace(config, training=replace(config.training, **changes))


def flags(config: Config) -> list[str]:
    """Returns the command line that asks for the small networks of `TINY`."""
    model = config.model
    names = ("latent_dim", "style_dim", "hidden_dim", "base_channels", "max_channels")
    return [f"--model.{name}={getattr(model, name)}" for name in names] + [
        "--input.batch_size=2",
        "--training.devices=1",
    ]


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """Networks whose updates take milliseconds."""
    return ModelConfig(
        image_size=16, num_domains=3, latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8
    )


@pytest.fixture(scope="session")
def images_path(tmp_path_factory) -> Path:
    """Folders of generated 16 px images: three domains with 6 training and 3 validation images each."""
    path = tmp_path_factory.mktemp("synthetic") / "images"
    synthetic.write(synthetic.Arguments(str(path), image_size=16, train_per_domain=6, val_per_domain=3))
    return path


@pytest.fixture(scope="session")
def data_path(images_path) -> Path:
    """The data directory that the Beam job makes of `images_path`."""
    path = images_path.parent / "data"
    settings = {"image_size": 16, "encoding": "png"}
    images_to_tfrecords.run(images_to_tfrecords.Arguments(input=str(images_path), output=str(path), **settings))
    return path


@pytest.fixture(scope="session")
def trained_run(data_path, tmp_path_factory) -> Path:
    """A run directory after two steps; not to be changed."""
    path = tmp_path_factory.mktemp("trained") / "run"
    assert train_and_evaluate(TINY, open_data_directory(data_path), path) == 0
    return path


@pytest.fixture(scope="session")
def exported_model(trained_run, tmp_path_factory) -> Path:
    """A model directory with version 1, exported from `trained_run`; not to be changed."""
    path = tmp_path_factory.mktemp("models") / "stargan"
    export.run(
        export.Arguments(run=str(trained_run), output=str(path), batch_sizes=[1, 2], max_rows=8, max_pixels=1_000_000)
    )
    return path


@pytest.fixture(scope="session")
def local_model(exported_model) -> LocalModel:
    """`exported_model`, loaded once for all tests, since that and the first call of each signature take seconds."""
    return LocalModel(exported_model)
