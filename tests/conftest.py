"""Two CPU devices for the whole suite, so that training over several devices is tested on any machine."""

import gc
import os
import sys
from collections.abc import Iterator

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import pytest
import tensorflow as tf
from absl import logging
from tensorflow.python.framework import ops

from stargan_tf.config import ModelConfig
from stargan_tf.training.runtime import begin_soon

pytest_plugins = ["tests.fixtures", "tests.stores", "tests.expected_skips", "tests.chromium"]

# Possible only before TensorFlow looks for devices.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)

begin_soon((16, 16))  # as `train` does

# TensorFlow's logger holds on to the stderr of its first import, here a file of pytest's, and closes it when logging is
# configured anew, as Gradio's server does at its start; that of the process it leaves open.
logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(autouse=True, scope="module")
def graphs_are_forgotten() -> Iterator[None]:
    """Lets the graphs of a file's tests go, or a process of tests would hold all of them, ten gigabytes in the end.

    `tf.custom_gradient` registers a function for every call in a graph, which holds that graph, and never takes it out.
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    yield
    if made := [name for name in registered if name not in before and name.startswith("CustomGradient-")]:
        for name in made:
            del registered[name]
        gc.collect()


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
