import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def norm_by_numpy(x):
    return (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)


def relative_error(value, expected) -> float:
    value, expected = np.asarray(value), np.asarray(expected)
    return np.linalg.norm(value - expected) / np.linalg.norm(expected)


# ---------------------------------------------------------------------- normalization


@pytest.mark.parametrize("scale", [1.0, 1e-2])  # at the smaller one epsilon is a tenth of the variance
def test_instance_norm(scale):
    x = 3 + scale * normal(2, 5, 7, 3)
    assert relative_error(layers.instance_norm(tf.constant(x)), norm_by_numpy(x)) < 1e-10


@pytest.mark.parametrize("scale", [1.0, 1e-2])
def test_gradient_of_instance_norm(scale):
    x, weight = tf.constant(3 + scale * normal(2, 5, 7, 3)), tf.constant(normal(2, 5, 7, 3, seed=1))

    def plain(x):
        mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5)

    found = []
    for norm in (layers.instance_norm, plain):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weight * tf.sin(norm(x)))
        found.append(tape.gradient(loss, x))
    assert relative_error(*found) < 1e-6


def test_instance_norm_of_bfloat16_is_computed_in_float32():
    x = tf.cast(3 + normal(2, 8, 8, 3), tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layers.instance_norm(x)
        loss = tf.reduce_sum(tf.square(y[..., :1]))
    assert y.dtype == tf.float32
    assert relative_error(y, norm_by_numpy(tf.cast(x, tf.float64).numpy())) < 1e-5
    assert tape.gradient(loss, x).dtype == tf.bfloat16


def test_instance_norm_layer():
    layer = layers.InstanceNorm(3, dtype="float64")
    scale, offset, x = normal(3), normal(3, seed=1), normal(2, 4, 6, 3, seed=2)
    assert relative_error(layer(x), norm_by_numpy(x)) < 1e-10
    layer.set_weights([scale, offset])
    assert relative_error(layer(x), scale * norm_by_numpy(x) + offset) < 1e-10


def test_adain_scales_by_one_plus_the_first_half_and_adds_the_second():
    layer = layers.AdaIN(3, 4, dtype="float64")
    kernel, bias, x, style = normal(4, 6), normal(6, seed=1), normal(2, 5, 7, 3, seed=2), normal(2, 4, seed=3)
    layer.set_weights([kernel, bias])
    modulation = style @ kernel + bias
    gamma, beta = modulation[:, None, None, :3], modulation[:, None, None, 3:]
    assert relative_error(layer(x, style), (1 + gamma) * norm_by_numpy(x) + beta) < 1e-10


# ---------------------------------------------------------------------- resampling


def test_downsample_averages():
    x = normal(2, 4, 6, 3)
    expected = (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
    np.testing.assert_allclose(layers.downsample(tf.constant(x)), expected, atol=1e-12)


def test_upsample_repeats():
    x = normal(2, 3, 5, 4)
    np.testing.assert_array_equal(layers.upsample(tf.constant(x)), x.repeat(2, 1).repeat(2, 2))


@pytest.mark.parametrize("side", [64, 32, 16, 8])
def test_shrink_is_bilinear_resizing_without_antialiasing(side):
    mask = tf.constant(normal(2, 64, 64, 1), tf.float32)
    expected = tf.image.resize(mask, (side, side), "bilinear", antialias=False)
    np.testing.assert_allclose(layers.shrink(mask, side), expected, atol=1e-6)


def test_high_pass_of_a_constant_is_zero_but_at_the_border():
    result = layers.high_pass(tf.ones((1, 5, 6, 2)), 2.0).numpy()[0]
    expected = np.zeros((5, 6))
    expected[[0, -1], :] = expected[:, [0, -1]] = (9 - 6) / 2
    expected[[0, 0, -1, -1], [0, -1, 0, -1]] = (9 - 4) / 2
    for channel in range(2):
        np.testing.assert_allclose(result[..., channel], expected)


def test_high_pass_keeps_channels_apart():
    x = np.zeros((1, 5, 5, 2), np.float32)
    x[0, 2, 2, 0] = 1
    result = layers.high_pass(tf.constant(x), 0.5).numpy()[0]
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = -2
    expected[2, 2] = 16
    np.testing.assert_allclose(result[..., 0], expected)
    np.testing.assert_array_equal(result[..., 1], 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_leaky_relu(dtype):
    result = layers.leaky_relu(tf.constant([-10.0, 0.0, 3.0], dtype))
    np.testing.assert_allclose(result, [-2, 0, 3], rtol=1e-12 if dtype == "float64" else 1e-6)


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


# ---------------------------------------------------------------------- spectral normalization


@pytest.fixture
def spectral():
    keras.utils.set_random_seed(0)
    layer = layers.SpectralConv2D(8, 3, padding="valid")
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
        loss = tf.reduce_sum(spectral(tf.constant(normal(2, 6, 6, 4), tf.float32)) ** 2)
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
