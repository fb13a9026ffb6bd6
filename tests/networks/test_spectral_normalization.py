import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks.spectral_normalization import SpectralConv2D


@pytest.fixture
def spectral():
    keras.utils.set_random_seed(0)
    layer = SpectralConv2D(8, 3, padding="valid")
    layer.build((None, None, None, 4))
    return layer


def effective_matrix(layer):
    """The kernel that a layer really applies, [kh * kw * in, out]: its answers to one pixel and channel at a time."""
    return layer(np.eye(36, dtype=np.float32).reshape(36, 3, 3, 4)).numpy()[:, 0, 0]


def test_the_largest_singular_value_becomes_one(spectral):
    kernel = spectral.kernel.numpy().reshape(36, 8)
    for _ in range(200):
        spectral.advance()
    matrix = effective_matrix(spectral)
    np.testing.assert_allclose(np.linalg.svd(matrix, compute_uv=False)[0], 1, rtol=1e-4)
    np.testing.assert_allclose(matrix, kernel / np.linalg.svd(kernel, compute_uv=False)[0], rtol=1e-3, atol=1e-6)


def test_a_call_of_a_spectral_convolution_changes_nothing(spectral):
    before = [np.array(weight) for weight in spectral.get_weights()]
    first, second = effective_matrix(spectral), effective_matrix(spectral)
    np.testing.assert_array_equal(first, second)
    for weight, now in zip(before, spectral.get_weights(), strict=True):
        np.testing.assert_array_equal(now, weight)
    spectral.advance()
    assert np.abs(effective_matrix(spectral) - first).max() > 1e-4


def test_the_scale_of_a_spectral_kernel_does_not_matter(spectral):
    """Neither to the output nor, since the gradient goes through the singular value, to first order to a loss."""
    first, kernel = effective_matrix(spectral), spectral.kernel.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            spectral(tf.constant(np.random.default_rng(0).standard_normal((2, 6, 6, 4)), tf.float32)) ** 2
        )
    gradient = tape.gradient(loss, spectral.kernel.value).numpy()
    assert abs(np.sum(gradient * kernel)) < 1e-4 * np.linalg.norm(gradient) * np.linalg.norm(kernel)
    spectral.kernel.assign(7 * kernel)
    np.testing.assert_allclose(effective_matrix(spectral), first, rtol=1e-4, atol=1e-6)


def test_a_spectral_convolution_adds_its_bias_unscaled(spectral):
    without = effective_matrix(spectral)
    bias = np.arange(8, dtype=np.float32)
    spectral.bias.assign(bias)
    np.testing.assert_allclose(effective_matrix(spectral), without + bias, atol=1e-5)
    assert [variable.shape for variable in spectral.non_trainable_variables] == [(8,)]
