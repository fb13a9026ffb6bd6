import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import high_pass


@pytest.mark.parametrize("side", [64, 32, 16, 8])
def test_shrink_is_bilinear_resizing_without_antialiasing(side):
    mask = tf.constant(np.random.default_rng(0).standard_normal((2, 64, 64, 1)), tf.float32)
    expected = tf.image.resize(mask, (side, side), "bilinear", antialias=False)
    np.testing.assert_allclose(high_pass.shrink(mask, side), expected, atol=1e-6)


def test_high_pass_of_a_constant_is_zero_but_at_the_border():
    result = high_pass.high_pass(tf.ones((1, 5, 6, 2)), 2.0).numpy()[0]
    expected = np.zeros((5, 6))
    expected[[0, -1], :] = expected[:, [0, -1]] = (9 - 6) / 2
    expected[[0, 0, -1, -1], [0, -1, 0, -1]] = (9 - 4) / 2
    for channel in range(2):
        np.testing.assert_allclose(result[..., channel], expected)


def test_high_pass_keeps_channels_apart():
    x = np.zeros((1, 5, 5, 2), np.float32)
    x[0, 2, 2, 0] = 1
    result = high_pass.high_pass(tf.constant(x), 0.5).numpy()[0]
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = -2
    expected[2, 2] = 16
    np.testing.assert_allclose(result[..., 0], expected)
    np.testing.assert_array_equal(result[..., 1], 0)
