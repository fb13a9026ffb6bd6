"""Convolutions: plain, followed by 2x2 averaging, or after nearest up-sampling; the last two also in a fused form."""

from functools import partial

import keras
import tensorflow as tf

from stargan_tf.networks.fused_forms import (
    convolve,
    convolve_and_halve,
    double_and_convolve,
    doubling_kernel,
    halving_kernel,
)
from stargan_tf.networks.layers import downsample, he_normal, upsample
from stargan_tf.networks.shared_kernels import made_once

# With smaller feature maps (the larger of input and output), making the 4x4 kernel costs what the fusion saves.
_MIN_FUSED_SIDE = 32


class Conv2D(keras.layers.Conv2D):
    """A convolution with stride 1 whose output may be halved, or whose input may be doubled, in height and width.

    Args:
        filters: channels of the output.
        kernel_size: side of the kernel in pixels.
        resampling: `halve` averages 2x2 pixels of the output, `double` repeats the pixels of the input; both need
            padding "same".
        fused: with 3x3 kernels, compute either by one convolution with 4/9 of the multiplications, and few pixels of
            many channels by matrix products.
    """

    def __init__(self, filters: int, kernel_size: int, resampling: str | None = None, fused: bool = False, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.resampling = resampling
        self.fused = fused

    def add_weight(self, *args, **kwargs):
        # Keras must not cast: what is computed from a kernel is rounded to bfloat16 once, at the end.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def applied_kernel(self) -> tf.Tensor:
        """Returns the kernel that the convolution applies, [side, side, in, out]."""
        return tf.convert_to_tensor(self._kernel.value)

    def call(self, inputs):
        """Maps [B, H, W, in] to [B, H, W, filters], or to half or twice the height and width."""
        x, kernel = inputs, partial(made_once, self._kernel, self.applied_kernel(), inputs)
        larger = min(x.shape[1:3]) * (2 if self.resampling == "double" else 1)
        as_one = self.fused and self.kernel_size == (3, 3) and larger >= _MIN_FUSED_SIDE
        if as_one and self.resampling == "halve":
            x = convolve_and_halve(x, kernel(halving_kernel))
        elif as_one and self.resampling == "double":
            x = double_and_convolve(x, kernel(doubling_kernel))
        else:
            x = upsample(x) if self.resampling == "double" else x
            x = (convolve if self.fused else tf.nn.conv2d)(x, kernel(), 1, self.padding.upper())
            x = downsample(x) if self.resampling == "halve" else x
        return x if self.bias is None else tf.nn.bias_add(x, tf.cast(self.bias.value, x.dtype))


def conv(in_channels: int, filters: int, size: int, dtype=None, kind: type[Conv2D] = Conv2D, **kwargs) -> Conv2D:
    """Returns a convolution of a kind, whose variables exist; padding is "same" unless given."""
    layer = kind(filters, size, dtype=dtype, kernel_initializer=he_normal(), **{"padding": "same"} | kwargs)
    layer.build((None, None, None, in_channels))
    return layer
