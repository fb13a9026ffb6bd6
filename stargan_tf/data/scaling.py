"""From pixels of 8 bits to what the networks take: the same bits, wherever that is done."""

import keras
import numpy as np
import tensorflow as tf

# A product, and not a quotient: one that rounds as `images.to_array` does.
_FACTOR = 1 / 127.5
_SCALED = np.arange(256, dtype=np.float32) * np.float32(_FACTOR) - np.float32(1)


def scale(pixels: np.ndarray) -> np.ndarray:
    """Scales pixels to what the networks take.

    Args:
        pixels: uint8.

    Returns:
        float32 in [-1, 1].
    """
    return _SCALED[pixels]


def scale_tensor(pixels: tf.Tensor, on_gpu: bool | None = None) -> tf.Tensor:
    """Scales pixels as `scale` does, on the device that is to use them.

    Args:
        pixels: uint8.
        on_gpu: whether that is a GPU; by default, if there is one.

    Returns:
        Keras's float type, which is float32 by default, in [-1, 1].
    """
    on_gpu = bool(tf.config.list_physical_devices("GPU")) if on_gpu is None else on_gpu
    if on_gpu:
        scaled = tf.cast(pixels, tf.float32) * _FACTOR - 1.0
    else:
        # The same in one pass over the memory, which is a third of the time; GPUs have no such operation.
        scaled = tf.quantization.dequantize(tf.bitcast(pixels, tf.quint8), -1.0, 1.0)
    return tf.cast(scaled, keras.config.floatx())
