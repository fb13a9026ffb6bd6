import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import convolution


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------------- resampling


def make(resampling, fused, spectral_norm=False, dtype="float64"):
    layer = convolution.conv(
        3, 5, 3, dtype, spectral_norm, resampling=resampling, fused=fused, name=f"{resampling}_{fused}"
    )
    for variable in layer.variables:
        variable.assign(normal(*variable.shape, seed=len(variable.shape)))
    return layer


def value_and_gradients(layer, x):
    """The output, the gradient of a function of it in input, kernel and bias, and one of second order as R1 has it."""
    kernel = layer.kernel.value
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        gradients = tape.gradient(loss, [x, kernel, layer.bias.value])
        penalty = tf.reduce_sum(tf.square(gradients[0]))
    return [y, *gradients, outer.gradient(penalty, kernel)]


@pytest.mark.parametrize("resampling", ["halve", "double"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_the_fused_form_is_the_same_function_with_the_same_gradients(monkeypatch, resampling, spectral_norm):
    monkeypatch.setattr(convolution, "_MIN_FUSED_SIDE", 4)
    x = tf.constant(normal(2, 6, 8, 3))
    fused, plain = (value_and_gradients(make(resampling, fused, spectral_norm), x) for fused in (True, False))
    assert fused[0].shape == ((2, 3, 4, 5) if resampling == "halve" else (2, 12, 16, 5))
    for value, expected in zip(fused, plain, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("resampling", ["halve", "double"])
def test_the_fused_form_is_one_convolution(resampling):
    layer = make(resampling, fused=True, dtype="float32")

    def operations(side):
        graph = tf.function(layer, autograph=False).get_concrete_function(tf.TensorSpec((None, side, side, 3))).graph
        return [operation.type for operation in graph.get_operations()]

    resample = {"halve": "AvgPool", "double": "BroadcastTo"}[resampling]
    large, small = operations(32), operations(8)
    assert resample not in large and resample in small  # where it would not pay, the plain form is used
    kinds = [kind for kind in large if kind.startswith("Conv2D")]
    assert kinds == ["Conv2D" if resampling == "halve" else "Conv2DBackpropInput"]


# ---------------------------------------------------------------------- spectral normalization


@pytest.fixture
def spectral():
    keras.utils.set_random_seed(0)
    layer = convolution.SpectralConv2D(8, 3, padding="valid")
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
