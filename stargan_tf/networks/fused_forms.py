"""The same functions in fewer operations: resampled convolutions, and instance normalization."""

import math

import numpy as np
import tensorflow as tf

from stargan_tf.networks import few_pixels

# A 3x3 convolution followed by 2x2 averaging is one 4x4 convolution of stride 2, whose kernel is the mean of four
# shifted copies of the 3x3 kernel. One after nearest up-sampling is the transpose of such a convolution. Per axis:
_HALVING = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]]) / 2
_DOUBLING = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])


def fused_on(device: str) -> bool:
    """Returns whether these forms are taken on a device, `cpu` or `gpu`, if nobody says otherwise."""
    return device == "cpu"  # measured to be faster there; on GPUs it was not measured


def halving_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Returns the kernel of `convolve_and_halve`, [4, 4, in, out], for one of [3, 3, in, out] before averaging."""
    return _four_by_four(kernel, _HALVING)


def doubling_kernel(kernel: tf.Tensor) -> tf.Tensor:
    """Returns the kernel of `double_and_convolve`, [4, 4, out, in], for one of [3, 3, in, out] after up-sampling."""
    return _four_by_four(tf.transpose(kernel, (0, 1, 3, 2)), _DOUBLING)


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    """Is `tf.nn.conv2d`, by a matrix product where that is faster."""
    if padding == "VALID" and x.shape[1:3] == kernel.shape[:2]:  # one pixel comes out
        size = math.prod(kernel.shape[:3])
        y = tf.matmul(tf.reshape(x, (-1, size)), tf.reshape(kernel, (size, -1)))
        return y[:, None, None]
    if kernel.shape[:2] == (stride + 2, stride + 2) and padding == "SAME" and few_pixels.are_few(x, kernel, stride):
        return few_pixels.convolve(x, kernel)
    return tf.nn.conv2d(x, kernel, stride, padding)


def convolve_and_halve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves and averages 2x2 pixels, with a kernel [4, 4, in, out]: [B, H, W, in] to [B, H / 2, W / 2, out]."""
    return convolve(x, kernel, 2, "SAME")


def double_and_convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Repeats pixels and convolves, with a kernel [4, 4, out, in]: [B, H, W, in] to [B, 2 H, 2 W, out]."""
    height, width, filters = 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]
    if few_pixels.are_few(x, kernel):
        x = few_pixels.convolve_transposed(x, kernel)
    else:
        x = tf.nn.conv2d_transpose(x, kernel, (tf.shape(x)[0], height, width, filters), 2, "SAME")
    return tf.ensure_shape(x, (None, height, width, filters))


def _four_by_four(kernel: tf.Tensor, along_axis: np.ndarray) -> tf.Tensor:
    """Makes a kernel [4, 4, a, b] of one [3, 3, a, b], by the same 4x3 matrix along both axes."""
    matrix = tf.constant(np.kron(along_axis, along_axis), kernel.dtype)  # [16, 9]
    return tf.reshape(tf.matmul(matrix, tf.reshape(kernel, (9, -1))), (4, 4, *kernel.shape[2:]))


def normalize_by_batch_norm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Normalizes every channel of every example over its pixels, then scales and shifts it.

    Folds the batch into the channel axis so that batch normalization computes statistics per example.

    Args:
        x: features, [B, H, W, C], float32 or bfloat16.
        scale: float32, [B, C], or [1, C] for all examples.
        offset: likewise.
        epsilon: added to the variance.

    Returns:
        Features of the type of `x`, [B, H, W, C].
    """
    rows, (height, width, channels) = tf.shape(x)[0], x.shape[1:]
    pixels = height * width
    # With one example the transpositions move nothing, and cost nothing.
    one = tf.transpose(tf.reshape(x, (rows, pixels, channels)), (1, 0, 2))  # [H * W, B, C]
    one, *_ = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(one, (1, pixels, 1, rows * channels)),  # [1, H * W, 1, B * C]
        scale=tf.reshape(tf.broadcast_to(scale, (rows, channels)), (-1,)),
        offset=tf.reshape(tf.broadcast_to(offset, (rows, channels)), (-1,)),
        mean=tf.zeros((0,)),
        variance=tf.zeros((0,)),
        epsilon=epsilon,
        is_training=True,  # statistics of these features, not stored ones
    )
    one = tf.transpose(tf.reshape(one, (pixels, rows, channels)), (1, 0, 2))  # [B, H * W, C]
    return tf.reshape(one, (rows, height, width, channels))
