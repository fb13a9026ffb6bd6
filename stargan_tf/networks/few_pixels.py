"""Convolutions of few pixels and many channels as matrix products, which take CPUs half the time.

There oneDNN leaves a kernel as it lies in memory, and reads it slowly, or it takes as long to bring the kernel or its
gradient into another order. Kernels are 3x3 with stride 1, or 4x4 with stride 2; padding is "same". The three functions
are each other's gradients, so that there are gradients of any order.
"""

import math

import tensorflow as tf

# Up to so many pixels in a batch, of the smaller of input and output, and from so many channels a matrix product is
# faster: in a convolution and in its kernel's gradient, each by bytes of a number.
_CONVOLUTION_PIXELS = {2: 256, 4: 1024}
_KERNEL_GRADIENT_PIXELS = {2: 1024, 4: 256}
_MIN_CHANNELS = 256


def are_few(x: tf.Tensor, kernel: tf.Tensor, stride: int = 1) -> bool:
    """Returns whether a convolution of `x` with this stride, or its gradient, is faster here than in TensorFlow."""
    most = max(_limit(limits, x.dtype) for limits in (_CONVOLUTION_PIXELS, _KERNEL_GRADIENT_PIXELS))
    return _pixels(x.shape) <= stride**2 * most and min(kernel.shape[2:]) >= _MIN_CHANNELS


@tf.custom_gradient
def convolve(x: tf.Tensor, kernel: tf.Tensor):
    """Convolves [B, H, W, in] with [side, side, in, out] to [B, H / stride, W / stride, out]."""
    stride, filters = kernel.shape[0] - 2, kernel.shape[3]
    if _pixels(x.shape) <= stride**2 * _limit(_CONVOLUTION_PIXELS, x.dtype):
        y = tf.matmul(_patches(x, kernel.shape[0], kernel), tf.reshape(kernel, (-1, filters)))
        y = tf.reshape(y, (-1, x.shape[1] // stride, x.shape[2] // stride, filters))
    else:
        y = tf.nn.conv2d(x, kernel, stride, "SAME")
    return y, lambda upstream: (convolve_transposed(upstream, kernel), _kernel_gradient(x, upstream))


@tf.custom_gradient
def convolve_transposed(y: tf.Tensor, kernel: tf.Tensor):
    """Is the gradient of `convolve` with regard to its input: [B, H / stride, W / stride, out] to [B, H, W, in]."""
    stride, channels = kernel.shape[0] - 2, kernel.shape[2]
    size = (tf.shape(y)[0], stride * y.shape[1], stride * y.shape[2], channels)
    x = tf.nn.conv2d_transpose(y, kernel, size, stride, "SAME")  # at its best as it is
    return x, lambda upstream: (convolve(upstream, kernel), _kernel_gradient(upstream, y))


@tf.custom_gradient
def _kernel_gradient(x: tf.Tensor, y: tf.Tensor):
    """Is the gradient of `convolve` with regard to its kernel, [side, side, in, out]; `y` is the upstream one."""
    stride, filters = x.shape[1] // y.shape[1], y.shape[3]
    size = (stride + 2, stride + 2, x.shape[3], filters)
    if _pixels(y.shape) <= _limit(_KERNEL_GRADIENT_PIXELS, x.dtype):
        kernel = tf.matmul(_patches(x, stride + 2, y), tf.reshape(y, (-1, filters)), transpose_a=True)
        kernel = tf.reshape(kernel, size)
    else:
        kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=size, out_backprop=y, strides=[1, stride, stride, 1], padding="SAME"
        )
    return kernel, lambda upstream: (convolve_transposed(y, upstream), convolve(x, upstream))


def _patches(x: tf.Tensor, side: int, factor: tf.Tensor) -> tf.Tensor:
    """Lays the pixels under the kernel at each of its places one after the other: [pixels of the output, side^2 C]."""
    with tf.control_dependencies([factor]):  # nine times `x` and more are not to wait in memory for what they multiply
        x = tf.identity(x)
    _, height, width, channels = x.shape
    stride = side - 2
    height, width = height // stride, width // stride
    x = tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    # With stride 2 every other row, and pairs of columns, which lie side by side in the kernel, too.
    x = tf.reshape(x, (-1, x.shape[1] // stride, stride, x.shape[2] // stride, stride * channels))
    places = [
        x[:, row // stride : row // stride + height, row % stride, column : column + width]
        for row in range(side)
        for column in range(side // stride)
    ]
    return tf.reshape(tf.concat(places, -1), (-1, side**2 * channels))


def _pixels(shape: tf.TensorShape) -> float:
    """Returns the pixels of a batch, infinitely many if its size is not known."""
    return math.inf if None in shape[:3] else math.prod(shape[:3])


def _limit(pixels: dict[int, int], dtype: tf.DType) -> int:
    return pixels[min(dtype.size, 4)]
