"""Convolutions: alone, before 2x2 averaging, or after nearest up-sampling, the last two also in a fused form."""

from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from stargan_tf.networks.layers import downsample, he_normal, upsample

# A 3x3 convolution followed by 2x2 averaging is one 4x4 convolution of stride 2, whose kernel is the mean of the 3x3
# kernel at four places; one after nearest up-sampling is the transpose of such a convolution. Along one axis:
_HALVING = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]]) / 2
_DOUBLING = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])

# Below this side of the larger feature map, making the 4x4 kernel costs as much as the fused convolution saves.
_MIN_FUSED_SIDE = 32


class Conv2D(keras.layers.Conv2D):
    """A convolution with stride 1, whose result may be halved, or whose input may be doubled, in height and width.

    Args:
        filters: channels of the output.
        kernel_size: side of the kernel in pixels.
        resampling: `halve` averages 2x2 pixels of the result, `double` repeats the pixels of the input; both need
            padding "same".
        fused: compute either, with 3x3 kernels, by one convolution with 4/9 of the multiplications.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        resampling: Literal["halve", "double"] | None = None,
        fused: bool = False,
        **kwargs,
    ):
        super().__init__(filters, kernel_size, **kwargs)
        self.resampling = resampling
        self.fused = fused

    def add_weight(self, *args, **kwargs):
        # Never cast by Keras: what is computed from a kernel is rounded to bfloat16 once, at the end.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def applied_kernel(self) -> tf.Tensor:
        """Returns the kernel that the convolution applies, [side, side, in, out]."""
        return tf.convert_to_tensor(self._kernel.value)

    def call(self, inputs):
        x, kernel = inputs, self.applied_kernel()
        larger = min(x.shape[1:3]) * (2 if self.resampling == "double" else 1)
        fused = self.fused and self.kernel_size == (3, 3) and larger >= _MIN_FUSED_SIDE
        if self.resampling == "halve":
            x = self._halved_fused(x, kernel) if fused else downsample(self._convolve(x, kernel))
        elif self.resampling == "double":
            x = self._doubled_fused(x, kernel) if fused else self._convolve(upsample(x), kernel)
        else:
            x = self._convolve(x, kernel)
        return x if self.bias is None else tf.nn.bias_add(x, tf.cast(self.bias.value, x.dtype))

    def _convolve(self, x, kernel):
        return tf.nn.conv2d(x, tf.cast(kernel, x.dtype), 1, self.padding.upper())

    def _halved_fused(self, x, kernel):
        return tf.nn.conv2d(x, tf.cast(_four_by_four(kernel, _HALVING), x.dtype), 2, "SAME")

    def _doubled_fused(self, x, kernel):
        kernel = tf.cast(_four_by_four(tf.transpose(kernel, (0, 1, 3, 2)), _DOUBLING), x.dtype)
        height, width = x.shape[1:3]
        shape = (tf.shape(x)[0], 2 * height, 2 * width, self.filters)
        x = tf.nn.conv2d_transpose(x, kernel, shape, 2, "SAME")
        return tf.ensure_shape(x, (None, 2 * height, 2 * width, self.filters))

    def get_config(self):
        return super().get_config() | {"resampling": self.resampling, "fused": self.fused}


class SpectralConv2D(Conv2D):
    """A convolution whose kernel is divided by its largest singular value (arXiv 1802.05957).

    The singular value is estimated by one step of power iteration from the stored vector at every call; the vector
    itself moves only in `advance`, which the training step calls once per update, so that a call has no side effect.
    """

    def build(self, input_shape):
        super().build(input_shape)
        self.left = self.add_weight(
            name="left_singular_vector",
            shape=(self.filters,),
            initializer=keras.initializers.RandomNormal(),
            trainable=False,
            aggregation="only_first_replica",
        )

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["left_singular_vector"] = self.left

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.left.assign(store["left_singular_vector"])

    def applied_kernel(self):
        _, largest = self._iterate()
        return super().applied_kernel() / largest

    def advance(self) -> None:
        """Moves the stored vector by one step of power iteration."""
        left, _ = self._iterate()
        self.left.assign(left)

    def _iterate(self) -> tuple[tf.Tensor, tf.Tensor]:
        matrix = tf.reshape(super().applied_kernel(), (-1, self.filters))  # [kh * kw * in, out]
        right = tf.math.l2_normalize(tf.linalg.matvec(matrix, tf.convert_to_tensor(self.left.value)))
        left = tf.math.l2_normalize(tf.linalg.matvec(matrix, right, transpose_a=True))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        return left, tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)


def conv(in_channels: int, filters: int, size: int, dtype, spectral_norm: bool = False, **kwargs) -> Conv2D:
    """Returns a convolution whose variables exist.

    Args:
        in_channels: channels of its input.
        filters: channels of its output.
        size: side of the kernel in pixels.
        dtype: Keras dtype policy.
        spectral_norm: spectral normalization of the kernel.
        **kwargs: further arguments of `Conv2D`; padding is "same" unless given.

    Returns:
        The convolution.
    """
    kind = SpectralConv2D if spectral_norm else Conv2D
    layer = kind(filters, size, dtype=dtype, kernel_initializer=he_normal(), **{"padding": "same", **kwargs})
    layer.build((None, None, None, in_channels))
    return layer


def _four_by_four(kernel: tf.Tensor, along_axis: np.ndarray) -> tf.Tensor:
    """Makes a kernel [4, 4, a, b] of one [3, 3, a, b], by the same 4x3 matrix along both axes."""
    matrix = tf.constant(np.kron(along_axis, along_axis), kernel.dtype)  # [16, 9]
    return tf.reshape(tf.matmul(matrix, tf.reshape(kernel, (9, -1))), (4, 4, *kernel.shape[2:]))
