import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------------- resampling


def test_downsample_averages():
    x = normal(2, 4, 6, 3)
    expected = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    np.testing.assert_allclose(layers.downsample(tf.constant(x)), expected, atol=1e-12)


def test_upsample_repeats():
    x = normal(2, 3, 5, 4)
    np.testing.assert_array_equal(layers.upsample(tf.constant(x)), x.repeat(2, 1).repeat(2, 2))


def test_gradient_of_upsample_sums_what_was_repeated():
    x, upstream = tf.constant(normal(2, 3, 5, 4)), tf.constant(normal(2, 6, 10, 4, seed=1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layers.upsample(x)
    expected = sum(upstream[:, row::2, column::2] for row in (0, 1) for column in (0, 1))
    np.testing.assert_allclose(tape.gradient(y, x, upstream), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_leaky_relu(dtype):
    result = layers.leaky_relu(tf.constant([-10.0, 0.0, 3.0], dtype))
    np.testing.assert_allclose(result, [-2, 0, 3], rtol=1e-12 if dtype == "float64" else 1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_leaky_relu_of_both_orders(dtype):
    x, upstream = tf.constant([-10.0, 0.0, 3.0], dtype), tf.constant([2.0, 4.0, 8.0], dtype)
    with tf.GradientTape() as outer:
        outer.watch(upstream)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layers.leaky_relu(x)
        gradient = inner.gradient(y, x, upstream)
    rtol = 1e-12 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(gradient, [0.4, 0.8, 8.0], rtol=rtol)
    np.testing.assert_allclose(outer.gradient(gradient, upstream), [0.2, 0.2, 1.0], rtol=rtol)


# ---------------------------------------------------------------------- domains


def test_domain_dense_is_one_dense_layer_per_domain():
    layer = layers.DomainDense(3, 4, 5, dtype="float64")
    kernel, bias, x = normal(3, 4, 5), normal(3, 5, seed=1), normal(6, 4, seed=2)
    layer.set_weights([kernel, bias])
    y = layer(x).numpy()
    assert y.shape == (3, 6, 5)
    for domain in range(3):
        np.testing.assert_allclose(y[domain], x @ kernel[domain] + bias[domain], atol=1e-12)

    apart = normal(3, 6, 4, seed=3)
    y = layer(apart).numpy()
    for domain in range(3):
        np.testing.assert_allclose(y[domain], apart[domain] @ kernel[domain] + bias[domain], atol=1e-12)


@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_select_domain(dtype):
    x = normal(3, 4, 2)
    picked = layers.select_domain(tf.constant(x), tf.constant([2, 0, 1, 2], dtype))
    np.testing.assert_array_equal(picked, [x[2, 0], x[0, 1], x[1, 2], x[2, 3]])
