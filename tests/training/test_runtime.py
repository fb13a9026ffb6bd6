"""How TensorFlow is told to compute, for the whole process."""

import pytest
import tensorflow as tf

from stargan_tf.training.runtime import begin_soon


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="Grappler chooses layouts for GPUs")
@pytest.mark.parametrize(
    ("image_size", "is_left"), [((64, 64), True), ((128, 128), True), ((256, 64), True), ((256, 256), False)]
)
def test_graphs_of_small_images_are_left_as_they_are(image_size, is_left):
    options = tf.config.optimizer
    before = options.get_experimental_options()
    try:
        options.set_experimental_options({"disable_meta_optimizer": False})
        begin_soon(image_size)
        assert options.get_experimental_options()["disable_meta_optimizer"] == is_left
    finally:
        options.set_experimental_options(before)
