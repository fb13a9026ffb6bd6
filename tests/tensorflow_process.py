"""TensorFlow in a process that runs tests: two CPU devices, so that training over several is tested on any machine."""

import gc
import os
import sys
from collections.abc import Iterator

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import pytest
import tensorflow as tf
from absl import logging
from tensorflow.python.framework import ops

from stargan_tf.training.runtime import begin_soon

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
