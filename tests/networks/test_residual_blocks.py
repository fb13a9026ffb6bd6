"""The blocks reorder some steps to save work; here they are computed in the order of the paper, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks.residual_blocks import AdainResidualBlock, ResidualBlock, Trunk
from stargan_tf.networks.spectral_normalization import SpectralConv2D


def randomize(layer, seed=0):
    """Gives every variable random values, so that no bias or scale is left out of a comparison."""
    random = np.random.default_rng(seed)
    for variable in layer.variables:
        variable.assign(0.5 * random.standard_normal(variable.shape))
    return layer


def normal(*shape, seed=1):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape))


def lrelu(x):
    return tf.maximum(x, 0.2 * x)


def conv(layer, x):
    y = tf.nn.conv2d(x, layer.kernel.value, 1, "SAME")
    return y if layer.bias is None else y + layer.bias.value


def normalize(x):
    mean, variance = tf.nn.moments(x, (1, 2), keepdims=True)
    return (x - mean) / tf.sqrt(variance + 1e-5)


def instance_norm(layer, x):
    return normalize(x) * layer.scale.value + layer.offset.value


def adain(layer, x, style):
    modulation = (style @ layer.fc.kernel.value + layer.fc.bias.value)[:, None, None]
    channels = x.shape[-1]
    return (1 + modulation[..., :channels]) * normalize(x) + modulation[..., channels:]


def halve(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def double(x):
    return tf.repeat(tf.repeat(x, 2, 1), 2, 2)


def residual_block_of_the_paper(block, x, halving):
    y = lrelu(x if block.norm1 is None else instance_norm(block.norm1, x))
    y = conv(block.conv1, y)
    y = halve(y) if halving else y
    y = lrelu(y if block.norm2 is None else instance_norm(block.norm2, y))
    y = conv(block.conv2, y)
    shortcut = x if block.conv1x1 is None else conv(block.conv1x1, x)
    shortcut = halve(shortcut) if halving else shortcut
    return (y + shortcut) / np.sqrt(2)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("halving", [False, True])
@pytest.mark.parametrize("out_channels", [3, 5])
def test_residual_block(norm, halving, out_channels):
    block = randomize(ResidualBlock(3, out_channels, normalize=norm, halve=halving, dtype="float64"))
    assert (block.conv1x1 is None) == (out_channels == 3)
    assert (block.norm1 is not None) == norm
    assert block.conv1.filters == 3
    x = normal(2, 6, 8, 3)
    np.testing.assert_allclose(block(x), residual_block_of_the_paper(block, x, halving), rtol=1e-9, atol=1e-11)


def adain_block_of_the_paper(block, x, style, doubling, with_shortcut):
    y = lrelu(adain(block.norm1, x, style))
    y = conv(block.conv1, double(y) if doubling else y)
    y = conv(block.conv2, lrelu(adain(block.norm2, y, style)))
    if not with_shortcut:
        return y
    shortcut = double(x) if doubling else x
    shortcut = shortcut if block.conv1x1 is None else conv(block.conv1x1, shortcut)
    return (y + shortcut) / np.sqrt(2)


@pytest.mark.parametrize("doubling", [False, True])
@pytest.mark.parametrize("with_shortcut", [False, True])
@pytest.mark.parametrize("out_channels", [3, 5])
def test_adain_residual_block(doubling, with_shortcut, out_channels):
    block = AdainResidualBlock(3, out_channels, 4, double=doubling, shortcut=with_shortcut, dtype="float64")
    randomize(block)
    assert (block.conv1x1 is None) == (out_channels == 3)  # the unused weights are there without shortcut too
    x, style = normal(2, 6, 4, 3), normal(2, 4, seed=2)
    expected = adain_block_of_the_paper(block, x, style, doubling, with_shortcut)
    np.testing.assert_allclose(block(x, style), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("size", [(16, 16), (24, 20)])
def test_trunk(size):
    trunk = randomize(Trunk(size, 3, 8, dtype="float64"))
    x = images = normal(2, *size, 3)
    x = conv(trunk.from_rgb, x)
    for block in trunk.blocks:
        x = residual_block_of_the_paper(block, x, halving=True)
    assert x.shape == (2, size[0] // 4, size[1] // 4, 8)
    x = tf.nn.conv2d(lrelu(x), trunk.last.kernel.value, 1, "VALID") + trunk.last.bias.value
    expected = tf.reduce_mean(lrelu(x), (1, 2))  # of one pixel for the published sizes
    assert [block.conv2.filters for block in trunk.blocks] == [6, 8]
    np.testing.assert_allclose(trunk(images), expected, rtol=1e-9, atol=1e-11)


def test_every_convolution_of_a_spectral_trunk_is_normalized():
    trunk = randomize(Trunk((16, 16), 3, 8, kind=SpectralConv2D, dtype="float32"))
    vectors = [variable.path for variable in trunk.non_trainable_variables]
    kernels = [variable.path for variable in trunk.trainable_variables if variable.path.endswith("kernel")]
    assert len(vectors) == len(kernels) == 2 + 2 * 3
    assert not Trunk((16, 16), 3, 8).non_trainable_variables
