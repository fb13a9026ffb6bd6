import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import convolution, few_pixels
from stargan_tf.networks.convolution import Conv2D
from stargan_tf.networks.spectral_normalization import SpectralConv2D


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def make(resampling, fused, kind=Conv2D, dtype="float64"):
    layer = convolution.conv(3, 5, 3, dtype, kind, resampling=resampling, fused=fused, name=f"{resampling}_{fused}")
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


def assert_same(values, expected_values):
    for value, expected in zip(values, expected_values, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def operations_of_kernel_gradient(layer, shape, dtype="float32"):
    """What the graph of a kernel's gradient is made of, the layer's own call included."""

    def gradient(x):
        with tf.GradientTape() as tape:
            y = layer(x)
        return tape.gradient(y, layer.kernel.value)

    function = tf.function(gradient, autograph=False).get_concrete_function(tf.TensorSpec(shape, dtype))
    return function.graph.get_operations()


@pytest.mark.parametrize("resampling", ["halve", "double"])
@pytest.mark.parametrize("kind", [Conv2D, SpectralConv2D])
def test_the_fused_form_is_the_same_function_with_the_same_gradients(monkeypatch, resampling, kind):
    monkeypatch.setattr(convolution, "_MIN_FUSED_SIDE", 4)
    x = tf.constant(normal(2, 6, 8, 3))
    fused, plain = (value_and_gradients(make(resampling, fused, kind), x) for fused in (True, False))
    assert fused[0].shape == ((2, 3, 4, 5) if resampling == "halve" else (2, 12, 16, 5))
    assert_same(fused, plain)


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


@pytest.mark.parametrize("resampling", [None, "halve", "double"])
@pytest.mark.parametrize("pixels", [(0, 1000), (1000, 0), (1000, 1000)], ids=["kernel_gradient", "convolution", "both"])
def test_matrix_products_of_few_pixels_are_the_same_function_with_the_same_gradients(monkeypatch, resampling, pixels):
    monkeypatch.setattr(convolution, "_MIN_FUSED_SIDE", 4)
    monkeypatch.setattr(few_pixels, "_MIN_CHANNELS", 3)
    monkeypatch.setitem(few_pixels._CONVOLUTION_PIXELS, 4, pixels[0])
    monkeypatch.setitem(few_pixels._KERNEL_GRADIENT_PIXELS, 4, pixels[1])
    x = tf.constant(normal(2, 6, 8, 3))
    matmul, plain = (value_and_gradients(make(resampling, fused), x) for fused in (True, False))
    assert_same(matmul, plain)


def test_a_kernel_as_large_as_the_image_is_a_matrix_product():
    layers = (
        convolution.conv(3, 5, 4, "float64", padding="valid", fused=fused, name="last") for fused in (True, False)
    )
    values = []
    for layer in layers:
        for variable in layer.variables:
            variable.assign(normal(*variable.shape, seed=len(variable.shape)))
        values.append(value_and_gradients(layer, tf.constant(normal(2, 4, 4, 3))))
    assert_same(*values)


@pytest.mark.parametrize(
    ("shape", "resampling", "dtype", "convolutions"),
    [
        ((1, 16, 16, 256), None, "float32", set()),
        ((4, 8, 8, 256), None, "float32", set()),
        ((1, 32, 32, 256), None, "float32", {"Conv2DBackpropFilter"}),
        ((1, 32, 32, 256), None, "bfloat16", {"Conv2D"}),
        ((1, 64, 64, 256), "halve", "float32", {"Conv2DBackpropFilter"}),
        ((1, 64, 64, 256), None, "float32", {"Conv2D", "Conv2DBackpropFilter"}),
        ((1, 16, 16, 128), None, "float32", {"Conv2D", "Conv2DBackpropFilter"}),
        ((None, 4, 4, 256), None, "float32", {"Conv2D", "Conv2DBackpropFilter"}),
    ],
)
def test_matrix_products_are_taken_where_they_pay(shape, resampling, dtype, convolutions):
    layer = convolution.conv(shape[-1], 256, 3, dtype, resampling=resampling, fused=True, name="layer")
    kinds = {operation.type for operation in operations_of_kernel_gradient(layer, shape, dtype)}
    assert kinds & {"Conv2D", "Conv2DBackpropFilter"} == convolutions


def test_patches_wait_for_what_they_multiply():
    layer = convolution.conv(256, 256, 3, "float32", fused=True, name="layer")
    # Of convolution and gradient: without it TensorFlow would lay out both at once, and keep one of them for both.
    operations = operations_of_kernel_gradient(layer, (1, 16, 16, 256))
    pads = [operation for operation in operations if operation.type == "Pad"]
    assert len(pads) == 2
    assert len({pad.inputs[0].op.control_inputs[0].name for pad in pads}) == 2
