import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stargan_tf.data.images import to_array, to_image
from stargan_tf.data.scaling import scale, scale_tensor

VALUES = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)  # grey, all there are


def test_arrays_are_scaled_as_images_are_and_back():
    scaled = scale(VALUES)
    assert scaled.dtype == np.float32 and scaled.min() == -1 and scaled.max() == 1
    np.testing.assert_array_equal(scaled, to_array(Image.fromarray(VALUES)))
    np.testing.assert_array_equal(np.asarray(to_image(scaled)), VALUES)


@pytest.mark.parametrize("on_gpu", [False, True, None])
def test_tensors_get_the_same_bits_in_either_form_within_a_graph_too(on_gpu):
    images = tf.constant(VALUES[None])
    for scaled in (scale_tensor(images, on_gpu), tf.function(scale_tensor)(images, on_gpu)):
        assert scaled.dtype == tf.float32
        np.testing.assert_array_equal(scaled[0], scale(VALUES))
