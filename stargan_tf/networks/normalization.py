"""Instance normalization, with a learnt scale and offset or with those that a style gives."""

import keras
import tensorflow as tf

from stargan_tf.networks.fused_forms import normalize_by_batch_norm
from stargan_tf.networks.layers import he_normal, widen

INSTANCE_NORM_EPSILON = 1e-5


class InstanceNorm(keras.layers.Layer):
    """Instance normalization with a learnt scale and offset per channel (epsilon 1e-5, biased variance).

    Args:
        channels: channels of the input.
        fused: compute it as one operation, see `normalize`.
    """

    def __init__(self, channels: int, fused: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.fused = fused
        # float32 under 16-bit policies too: they are few, and they are applied to float32 values.
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        common = {"shape": (channels,), "dtype": dtype, "autocast": False}
        self.scale = self.add_weight(name="scale", initializer="ones", **common)
        self.offset = self.add_weight(name="offset", initializer="zeros", **common)
        self.built = True

    def call(self, x):
        scale, offset = (tf.convert_to_tensor(variable.value)[None] for variable in (self.scale, self.offset))
        return normalize(x, scale, offset, self.fused)


class AdaIN(keras.layers.Layer):
    """Adaptive instance normalization: scale and offset of each channel come from the style (paper, appendix F).

    Args:
        channels: channels of the input.
        style_dim: length of the style code.
        fused: compute the normalization as one operation, see `normalize`.
    """

    def __init__(self, channels: int, style_dim: int, fused: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.fused = fused
        self.fc = keras.layers.Dense(2 * channels, kernel_initializer=he_normal(), dtype=self.dtype_policy, name="fc")
        self.fc.build((None, style_dim))
        self.built = True

    def call(self, x, style):
        gamma, beta = tf.split(widen(self.fc(style)), 2, axis=-1)  # [B, C] each
        return normalize(x, 1.0 + gamma, beta, self.fused)


def normalize(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, fused: bool) -> tf.Tensor:
    """Normalizes every channel of every example over its pixels, then scales and shifts it.

    Args:
        x: features, [B, H, W, C].
        scale: at least float32, [B, C], or [1, C] for all examples.
        offset: likewise.
        fused: in float32 and bfloat16, use TensorFlow's batch normalization, which on CPUs takes one or two passes over
            the features where the plain form takes ten; it does not exist in float64.

    Returns:
        Features of the type of `x`, [B, H, W, C]; computed in float32 or better.
    """
    if fused and x.dtype in (tf.float32, tf.bfloat16):
        return normalize_by_batch_norm(x, scale, offset, INSTANCE_NORM_EPSILON)
    scale, offset = (value[:, None, None, :] for value in (scale, offset))
    return tf.cast(instance_norm(x) * scale + offset, x.dtype)


@tf.custom_gradient
def instance_norm(x: tf.Tensor):
    """Normalizes every channel of every example of [B, H, W, C] over its pixels; bfloat16 becomes float32.

    The gradient is written out because the derived one makes three more passes over the features.
    """
    dtype = x.dtype
    x = widen(x)
    centred = x - _pixel_mean(x)
    inverse_deviation = tf.math.rsqrt(_pixel_mean(tf.square(centred)) + INSTANCE_NORM_EPSILON)
    normalized = centred * inverse_deviation

    def gradient(upstream):  # [B, H, W, C]
        projection = normalized * _pixel_mean(upstream * normalized)
        return tf.cast((upstream - _pixel_mean(upstream) - projection) * inverse_deviation, dtype)

    return normalized, gradient


def _pixel_mean(x: tf.Tensor) -> tf.Tensor:
    """Averages [B, H, W, C] to [B, 1, 1, C]: rows first, since one long float32 sum would lose two digits."""
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)
