"""Two CPU devices for the whole suite, so that training over several devices is tested on any machine."""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import pytest
import tensorflow as tf
from absl import logging

from stargan_tf.config import ModelConfig

pytest_plugins = ["tests.fixtures", "tests.stores", "tests.expected_skips", "tests.chromium"]

# Possible only before TensorFlow looks for devices.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


# TensorFlow's logger holds on to the stderr of its first import, here a file of pytest's, and closes it when logging is
# configured anew, as Gradio's server does at its start; that of the process it leaves open.
logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """Networks whose updates take milliseconds."""
    return ModelConfig(
        image_size=16, num_domains=3, latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8
    )


# Files that take minutes; begun last, they would leave the other process idle.
_LONGEST_FIRST = (
    "test_parity.py",
    "test_conversion.py",
    "test_run.py",
    "test_networks.py",
    "test_distribution.py",
    "test_fuzz.py",
    "test_train.py",
)


def pytest_collection_modifyitems(items) -> None:
    """Puts the longest files first; pytest-randomly has shuffled the others, and the tests within each, before."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))
