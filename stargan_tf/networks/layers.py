"""Activation, initializer, resampling, branches by domain: what the layers and blocks are made of."""

import math
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

LEAKY_RELU_SLOPE = 0.2


class Network(keras.Model):
    """A network whose variables exist once it is constructed, and which Keras can save and build again.

    `arguments` are those of the subclass's constructor, but for name and dtype policy.
    """

    def __init__(self, arguments: dict[str, Any], name: str, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._arguments = MappingProxyType(arguments)  # a dictionary would become part of checkpoints

    def get_config(self):
        return super().get_config() | self._arguments

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{name: value for name, value in config.items() if name != "trainable"})


def track(parent: keras.layers.Layer, layers: list[keras.layers.Layer]) -> list[keras.layers.Layer]:
    """Makes layers attributes of their parent, by their names, and returns them.

    `tf.train.Checkpoint` follows attributes but not Keras's lists: the variables of a layer that stands in a list only
    are silently left out of checkpoints.
    """
    for layer in layers:
        setattr(parent, layer.name, layer)
    return layers


def he_normal() -> keras.initializers.Initializer:
    """Returns the published initializer: normal, deviation sqrt(2 / fan-in), not truncated."""
    return keras.initializers.VarianceScaling(scale=2.0, mode="fan_in", distribution="untruncated_normal")


@tf.custom_gradient
def leaky_relu(x: tf.Tensor):
    """Returns LeakyReLU with the slope that all networks use.

    Its gradient reads the output, which has the sign of the input, so that the input need not be kept.
    """
    if x.dtype == tf.float64:  # TensorFlow's operation rounds the slope to float32
        slope = tf.where(x > 0, tf.ones_like(x), LEAKY_RELU_SLOPE * tf.ones_like(x))
        return x * slope, lambda upstream: upstream * slope
    y = tf.nn.leaky_relu(x, LEAKY_RELU_SLOPE)
    return y, lambda upstream: tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=LEAKY_RELU_SLOPE)


def widen(x: tf.Tensor) -> tf.Tensor:
    """Casts bfloat16 to float32 and leaves other types alone: for sums and for what leaves a network."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x


def downsample(x: tf.Tensor) -> tf.Tensor:
    """Halves height and width by averaging 2x2 pixels: [B, H, W, C] to [B, H / 2, W / 2, C]."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


@tf.custom_gradient
def upsample(x: tf.Tensor):
    """Doubles height and width by repeating pixels: [B, H, W, C] to [B, 2 H, 2 W, C].

    The gradient is written out because the derived one, a sum over two of six axes, is fifty times slower.
    """
    height, width, channels = x.shape[1:]
    repeated = tf.broadcast_to(x[:, :, None, :, None], (tf.shape(x)[0], height, 2, width, 2, channels))
    return tf.reshape(repeated, (-1, 2 * height, 2 * width, channels)), lambda upstream: 4.0 * downsample(upstream)


class DomainDense(keras.layers.Layer):
    """One dense layer per domain, evaluated for all domains at once.

    The branches share one kernel [K, in, out] and one bias [K, out]: fewer and larger operations than K layers.

    Args:
        num_domains: number of domains K.
        in_dim: length of the input.
        units: length of the output.
    """

    def __init__(self, num_domains: int, in_dim: int, units: int, **kwargs):
        super().__init__(**kwargs)
        # Keras would count the domains as part of the fan-in, so the deviation is given.
        initializer = keras.initializers.RandomNormal(stddev=math.sqrt(2.0 / in_dim))
        self.kernel = self.add_weight(name="kernel", shape=(num_domains, in_dim, units), initializer=initializer)
        self.bias = self.add_weight(name="bias", shape=(num_domains, units), initializer="zeros")
        self.built = True

    def call(self, x):
        """Maps [B, in] or [K, B, in] to [K, B, out]."""
        return tf.matmul(x, self.kernel) + tf.expand_dims(self.bias, 1)


def select_domain(x: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
    """Picks each example's branch: of [K, B, ...], one result per domain and example, and domains [B], [B, ...]."""
    index = tf.stack([tf.cast(domain, tf.int32), tf.range(tf.shape(domain)[0])], axis=1)  # [B, 2]
    return tf.gather_nd(x, index)
