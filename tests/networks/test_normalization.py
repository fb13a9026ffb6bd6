import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import normalization


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def norm_by_numpy(x):
    return (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)


def relative_error(value, expected) -> float:
    value, expected = np.asarray(value, np.float64), np.asarray(expected, np.float64)
    return np.linalg.norm(value - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("scale", [1.0, 1e-2])  # at the smaller one epsilon is a tenth of the variance
def test_instance_norm(scale):
    x = 3 + scale * normal(2, 5, 7, 3)
    assert relative_error(normalization.instance_norm(tf.constant(x)), norm_by_numpy(x)) < 1e-10


@pytest.mark.parametrize("scale", [1.0, 1e-2])
def test_gradient_of_instance_norm(scale):
    x, weight = tf.constant(3 + scale * normal(2, 5, 7, 3)), tf.constant(normal(2, 5, 7, 3, seed=1))

    def plain(x):
        mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5)

    found = []
    for norm in (normalization.instance_norm, plain):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weight * tf.sin(norm(x)))
        found.append(tape.gradient(loss, x))
    assert relative_error(*found) < 1e-6


def test_instance_norm_of_bfloat16_is_computed_in_float32():
    x = tf.cast(3 + normal(2, 8, 8, 3), tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = normalization.instance_norm(x)
        loss = tf.reduce_sum(tf.square(y[..., :1]))
    assert y.dtype == tf.float32
    assert relative_error(y, norm_by_numpy(tf.cast(x, tf.float64).numpy())) < 1e-5
    assert tape.gradient(loss, x).dtype == tf.bfloat16


def test_instance_norm_layer():
    layer = normalization.InstanceNorm(3, dtype="float64")
    scale, offset, x = normal(3), normal(3, seed=1), normal(2, 4, 6, 3, seed=2)
    assert relative_error(layer(x), norm_by_numpy(x)) < 1e-10
    layer.set_weights([scale, offset])
    assert relative_error(layer(x), scale * norm_by_numpy(x) + offset) < 1e-10


def test_adain_scales_by_one_plus_the_first_half_and_adds_the_second():
    layer = normalization.AdaIN(3, 4, dtype="float64")
    kernel, bias, x, style = normal(4, 6), normal(6, seed=1), normal(2, 5, 7, 3, seed=2), normal(2, 4, seed=3)
    layer.set_weights([kernel, bias])
    modulation = style @ kernel + bias
    gamma, beta = modulation[:, None, None, :3], modulation[:, None, None, 3:]
    assert relative_error(layer(x, style), (1 + gamma) * norm_by_numpy(x) + beta) < 1e-10


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("dtype", "limit"), [("float32", 1e-5), ("bfloat16", 1e-2)])
def test_the_fused_normalization_is_the_same_function(rows, dtype, limit):
    x = tf.cast(1 + 3 * normal(rows, 8, 6, 5), dtype)
    scale, offset = (tf.constant(normal(rows, 5, seed=seed), tf.float32) for seed in (1, 2))
    upstream = tf.cast(normal(rows, 8, 6, 5, seed=3), dtype)

    def value_and_gradients(fused, *arguments):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = normalization.normalize(*arguments, fused)
        return [y, *tape.gradient(y, arguments, tf.cast(upstream, y.dtype))]

    found = value_and_gradients(True, x, scale, offset)
    expected = value_and_gradients(False, *(tf.cast(value, tf.float64) for value in (x, scale, offset)))
    assert [value.dtype for value in found] == [x.dtype, x.dtype, tf.float32, tf.float32]
    for value, plain in zip(found, expected, strict=True):
        assert relative_error(tf.cast(value, tf.float64), plain) < limit


def test_the_fused_normalization_is_one_operation():
    signature = tf.TensorSpec((None, 8, 6, 5)), tf.TensorSpec((None, 5)), tf.TensorSpec((None, 5))
    function = tf.function(lambda *inputs: normalization.normalize(*inputs, fused=True), autograph=False)
    graph = function.get_concrete_function(*signature).graph
    operations = [operation.type for operation in graph.get_operations()]
    assert operations.count("FusedBatchNormV3") == 1 and "Mean" not in operations
