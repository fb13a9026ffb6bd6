"""The high-pass skip of generators for faces: what it carries over from the source, and where (paper, appendix F)."""

import tensorflow as tf


def shrink(mask: tf.Tensor, side: int) -> tf.Tensor:
    """Resizes square masks bilinearly (half-pixel centres, no antialiasing) by a whole power of two.

    Half-pixel centres fall between four pixels, so the result is the average of those four.

    Args:
        mask: [B, H, H, 1].
        side: the new side; H is a power of two times it.

    Returns:
        [B, side, side, 1].
    """
    factor = mask.shape[1] // side
    if factor == 1:
        return mask
    first = factor // 2 - 1
    return tf.nn.avg_pool2d(mask[:, first:, first:], 2, factor, "VALID")


def high_pass(x: tf.Tensor, weight: float) -> tf.Tensor:
    """Keeps edges: 9 times a pixel minus the sum over its 3x3 window, divided by `weight`.

    Args:
        x: features, [B, H, W, C]; pixels beyond the border count as zero.
        weight: what the result is divided by, `w_hpf`.

    Returns:
        Features, [B, H, W, C].
    """
    kernel = tf.constant([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], x.dtype) / tf.constant(weight, x.dtype)
    kernel = tf.tile(kernel[:, :, None, None], [1, 1, x.shape[-1], 1])  # [3, 3, C, 1]
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")
