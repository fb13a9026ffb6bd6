"""The residual blocks of the four networks (paper, appendix F)."""

import itertools
import math
from typing import Any

import keras
import tensorflow as tf

from stargan_tf.config import log2_size
from stargan_tf.networks.convolution import Conv2D, conv
from stargan_tf.networks.layers import downsample, leaky_relu, track, upsample
from stargan_tf.networks.normalization import AdaIN, InstanceNorm
from stargan_tf.networks.rematerialization import recompute

_SQRT_HALF = math.sqrt(0.5)  # keeps the variance of a sum of two branches


class _Block(keras.layers.Layer):
    """A block that computes its insides again in the backward pass if `rematerialized` says so."""

    rematerialized = False

    def call(self, *inputs):
        return recompute(self, self.compute, *inputs) if self.rematerialized else self.compute(*inputs)


class ResidualBlock(_Block):
    """Pre-activation residual block of the encoder, the style encoder and the discriminator.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        normalize: instance normalization before each activation.
        halve: halve height and width.
        kind: of every convolution.
        fused: compute halving and normalization in their fused forms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        normalize: bool = False,
        halve: bool = False,
        kind: type[Conv2D] = Conv2D,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.halve, dtype = halve, self.dtype_policy
        resampling: dict[str, Any] = {"resampling": "halve" if halve else None, "fused": fused}
        self.norm1 = InstanceNorm(in_channels, fused, dtype=dtype, name="norm1") if normalize else None
        self.conv1 = conv(in_channels, in_channels, 3, dtype, kind, name="conv1", **resampling)
        self.norm2 = InstanceNorm(in_channels, fused, dtype=dtype, name="norm2") if normalize else None
        self.conv2 = conv(in_channels, out_channels, 3, dtype, kind, name="conv2", fused=fused)
        self.conv1x1 = None
        if in_channels != out_channels:
            self.conv1x1 = conv(in_channels, out_channels, 1, dtype, kind, use_bias=False, name="conv1x1")
        self.built = True

    def compute(self, x):
        """Maps features [B, H, W, in_channels] to [B, H, W, out_channels], or to half the height and width."""
        # Averaging and a 1x1 convolution commute: pool first, so that the convolution sees a quarter of the pixels.
        shortcut = downsample(x) if self.halve else x
        if self.conv1x1 is not None:
            shortcut = self.conv1x1(shortcut)
        if self.norm1 is not None:
            x = self.norm1(x)
        x = self.conv1(leaky_relu(x))  # halves
        if self.norm2 is not None:
            x = self.norm2(x)
        x = self.conv2(leaky_relu(x))  # in_channels -> out_channels
        return (shortcut + x) * tf.constant(_SQRT_HALF, x.dtype)


class AdainResidualBlock(_Block):
    """Residual block of the decoder, whose normalizations are driven by the style.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        style_dim: length of the style code.
        double: double height and width.
        shortcut: False leaves out shortcut and division, as in generators with the high-pass skip. The 1x1
            convolution exists even then, because published checkpoints carry it.
        fused: compute doubling and normalization in their fused forms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style_dim: int,
        double: bool = False,
        shortcut: bool = True,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.double, self.shortcut, dtype = double, shortcut, self.dtype_policy
        resampling: dict[str, Any] = {"resampling": "double" if double else None, "fused": fused}
        self.norm1 = AdaIN(in_channels, style_dim, fused, dtype=dtype, name="norm1")
        self.conv1 = conv(in_channels, out_channels, 3, dtype, name="conv1", **resampling)
        self.norm2 = AdaIN(out_channels, style_dim, fused, dtype=dtype, name="norm2")
        self.conv2 = conv(out_channels, out_channels, 3, dtype, name="conv2", fused=fused)
        self.conv1x1 = None
        if in_channels != out_channels:
            self.conv1x1 = conv(in_channels, out_channels, 1, dtype, use_bias=False, name="conv1x1")
        self.built = True

    def compute(self, x, style):
        """Maps features [B, H, W, in_channels] and styles to [B, H, W, out_channels], or twice the height and width."""
        shortcut = x
        x = self.conv1(leaky_relu(self.norm1(x, style)))  # doubles; in_channels -> out_channels
        x = self.conv2(leaky_relu(self.norm2(x, style)))
        if not self.shortcut:
            return x
        # Repeating pixels and a 1x1 convolution commute: convolve first, on a quarter of the pixels.
        if self.conv1x1 is not None:
            shortcut = self.conv1x1(shortcut)
        if self.double:
            shortcut = upsample(shortcut)
        return (shortcut + x) * tf.constant(_SQRT_HALF, x.dtype)


class Trunk(keras.layers.Layer):
    """What style encoder and discriminator have in common: an image becomes one vector of features.

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution; each halving of the sides doubles them.
        max_channels: where the doubling of channels stops.
        kind: of every convolution.
        fused: compute the blocks in their fused forms.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        max_channels: int,
        kind: type[Conv2D] = Conv2D,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        common: dict[str, Any] = {"kind": kind, "dtype": self.dtype_policy}
        widths = [base_channels]
        for _ in range(log2_size(image_size) - 2):  # to 4 px
            widths.append(min(2 * widths[-1], max_channels))
        self.out_channels = widths[-1]
        self.from_rgb = conv(3, base_channels, 3, name="from_rgb", **common)
        blocks = [
            ResidualBlock(a, b, halve=True, fused=fused, name=f"block_{n}", **common)
            for n, (a, b) in enumerate(itertools.pairwise(widths))
        ]
        self.blocks = track(self, blocks)
        self.last = conv(self.out_channels, self.out_channels, 4, padding="valid", fused=fused, name="last", **common)
        self.built = True

    def call(self, images):
        """Maps images [B, H, W, 3] to features [B, C]."""
        x = self.from_rgb(images)  # [B, H, W, base_channels]
        for block in self.blocks:
            x = block(x)  # [B, h / 2, w / 2, 2 C] down to 4 x 4
        x = leaky_relu(self.last(leaky_relu(x)))  # [B, 1, 1, C] for squares whose side is a power of two
        return x[:, 0, 0] if x.shape[1:3] == (1, 1) else tf.reduce_mean(x, (1, 2))  # [B, C]
