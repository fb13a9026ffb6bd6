"""The residual blocks of the four networks (paper, appendix F)."""

import math
from functools import partial

import keras
import tensorflow as tf

from stargan_tf.config import log2_size
from stargan_tf.networks.convolution import conv
from stargan_tf.networks.layers import downsample, leaky_relu, track, upsample
from stargan_tf.networks.normalization import AdaIN, InstanceNorm
from stargan_tf.networks.rematerialization import recompute

_SQRT_HALF = math.sqrt(0.5)


class ResidualBlock(keras.layers.Layer):
    """Pre-activation residual block of the encoder, the style encoder and the discriminator.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        normalize: instance normalization before each activation.
        halve: halve height and width.
        spectral_norm: spectral normalization of every convolution.
        fused: compute halving and normalization in their fused forms.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        normalize: bool = False,
        halve: bool = False,
        spectral_norm: bool = False,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.halve = halve
        self.rematerialized = False
        norm = partial(InstanceNorm, in_channels, fused, dtype=dtype)
        first = {"resampling": "halve" if halve else None, "fused": fused}
        self.norm1 = norm(name="norm1") if normalize else None
        self.conv1 = conv(in_channels, in_channels, 3, dtype, spectral_norm, name="conv1", **first)
        self.norm2 = norm(name="norm2") if normalize else None
        self.conv2 = conv(in_channels, out_channels, 3, dtype, spectral_norm, name="conv2")
        self.conv1x1 = None
        if in_channels != out_channels:
            self.conv1x1 = conv(in_channels, out_channels, 1, dtype, spectral_norm, use_bias=False, name="conv1x1")
        self.built = True

    def call(self, x):
        return recompute(self, self._compute, x) if self.rematerialized else self._compute(x)

    def _compute(self, x):
        # Averaging and a 1x1 convolution commute: pool first, so that the convolution sees a quarter of the pixels.
        shortcut = downsample(x) if self.halve else x
        if self.conv1x1 is not None:
            shortcut = self.conv1x1(shortcut)
        if self.norm1 is not None:
            x = self.norm1(x)
        x = self.conv1(leaky_relu(x))
        if self.norm2 is not None:
            x = self.norm2(x)
        x = self.conv2(leaky_relu(x))
        return (shortcut + x) * tf.constant(_SQRT_HALF, x.dtype)


class AdainResidualBlock(keras.layers.Layer):
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
        dtype = self.dtype_policy
        self.double = double
        self.rematerialized = False
        self.shortcut = shortcut
        first = {"resampling": "double" if double else None, "fused": fused}
        self.norm1 = AdaIN(in_channels, style_dim, fused, dtype=dtype, name="norm1")
        self.conv1 = conv(in_channels, out_channels, 3, dtype, name="conv1", **first)
        self.norm2 = AdaIN(out_channels, style_dim, fused, dtype=dtype, name="norm2")
        self.conv2 = conv(out_channels, out_channels, 3, dtype, name="conv2")
        self.conv1x1 = None
        if in_channels != out_channels:
            self.conv1x1 = conv(in_channels, out_channels, 1, dtype, use_bias=False, name="conv1x1")
        self.built = True

    def call(self, x, style):
        return recompute(self, self._compute, x, style) if self.rematerialized else self._compute(x, style)

    def _compute(self, x, style):
        shortcut = x
        x = self.conv1(leaky_relu(self.norm1(x, style)))
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
    """What style encoder and discriminator share: an image becomes one vector of features.

    Args:
        image_size: height and width in pixels.
        base_channels: channels at full resolution.
        max_channels: where the doubling of channels stops.
        spectral_norm: spectral normalization of every convolution.
        fused: compute the blocks in their fused forms.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        base_channels: int,
        max_channels: int,
        spectral_norm: bool = False,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        channels = base_channels
        self.from_rgb = conv(3, channels, 3, dtype, spectral_norm, name="from_rgb")
        blocks = []
        for index in range(log2_size(image_size) - 2):
            out_channels = min(2 * channels, max_channels)
            blocks.append(
                ResidualBlock(
                    channels,
                    out_channels,
                    halve=True,
                    spectral_norm=spectral_norm,
                    fused=fused,
                    dtype=dtype,
                    name=f"block_{index}",
                )
            )
            channels = out_channels
        self.blocks = track(self, blocks)
        self.last = conv(channels, channels, 4, dtype, spectral_norm, padding="valid", name="last")
        self.out_channels = channels
        self.built = True

    def call(self, images):
        """Maps images [B, H, W, 3] to features [B, C]."""
        x = self.from_rgb(images)
        for block in self.blocks:
            x = block(x)
        x = leaky_relu(self.last(leaky_relu(x)))  # [B, 1, 1, C] for squares whose side is a power of two
        return x[:, 0, 0] if x.shape[1:3] == (1, 1) else tf.reduce_mean(x, (1, 2))
