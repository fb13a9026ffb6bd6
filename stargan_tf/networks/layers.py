"""The layers that the blocks are made of: convolution, normalization, branches by domain, resampling."""

import math

import keras
import tensorflow as tf

INSTANCE_NORM_EPSILON = 1e-5
LEAKY_RELU_SLOPE = 0.2


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


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """Returns LeakyReLU with the slope that all networks use."""
    if x.dtype == tf.float64:  # TensorFlow's operation rounds the slope to float32
        return tf.where(x > 0, x, LEAKY_RELU_SLOPE * x)
    return tf.nn.leaky_relu(x, LEAKY_RELU_SLOPE)


def widen(x: tf.Tensor) -> tf.Tensor:
    """Returns bfloat16 values as float32, and others as they are: for sums and for what leaves a network."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x


def downsample(x: tf.Tensor) -> tf.Tensor:
    """Halves height and width by averaging 2x2 pixels."""
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")


def upsample(x: tf.Tensor) -> tf.Tensor:
    """Doubles height and width by repeating pixels."""
    height, width, channels = x.shape[1:]
    x = tf.broadcast_to(x[:, :, None, :, None], (tf.shape(x)[0], height, 2, width, 2, channels))
    return tf.reshape(x, (-1, 2 * height, 2 * width, channels))


def shrink(mask: tf.Tensor, side: int) -> tf.Tensor:
    """Resizes square masks bilinearly (half-pixel centres, no antialiasing) by a whole power of two.

    Half-pixel centres fall between four pixels, whose average is then the result.

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
    """Returns what differs from the neighbourhood: 9 times a pixel minus the sum over its 3x3 window, over `weight`.

    Args:
        x: features, [B, H, W, C].
        weight: what the result is divided by, `w_hpf`.

    Returns:
        Features, [B, H, W, C]; pixels beyond the border count as zero.
    """
    channels = x.shape[-1]
    kernel = tf.constant([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], x.dtype) / tf.constant(weight, x.dtype)
    kernel = tf.tile(kernel[:, :, None, None], [1, 1, channels, 1])
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def conv(in_channels: int, filters: int, size: int, dtype, use_bias: bool = True, padding: str = "same", name=None):
    """Returns a built convolution with stride 1.

    Args:
        in_channels: channels of its input.
        filters: channels of its output.
        size: side of the kernel in pixels.
        dtype: Keras dtype policy.
        use_bias: whether it has a bias.
        padding: "same" or "valid".
        name: of the layer.

    Returns:
        A `keras.layers.Conv2D` whose variables exist.
    """
    layer = keras.layers.Conv2D(
        filters, size, padding=padding, use_bias=use_bias, kernel_initializer=he_normal(), dtype=dtype, name=name
    )
    layer.build((None, None, None, in_channels))
    return layer


class SpectralConv2D(keras.layers.Conv2D):
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

    def add_weight(self, *args, **kwargs):
        # Never cast: the singular value of a bfloat16 kernel would be too coarse.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["left_singular_vector"] = self.left

    def load_own_variables(self, store):
        super().load_own_variables(store)
        self.left.assign(store["left_singular_vector"])

    def _iterate(self) -> tuple[tf.Tensor, tf.Tensor]:
        matrix = tf.reshape(tf.convert_to_tensor(self._kernel.value), (-1, self.filters))  # [kh * kw * in, out]
        right = tf.math.l2_normalize(tf.linalg.matvec(matrix, tf.convert_to_tensor(self.left.value)))
        left = tf.math.l2_normalize(tf.linalg.matvec(matrix, right, transpose_a=True))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        return left, tf.tensordot(right, tf.linalg.matvec(matrix, left), 1)

    def call(self, inputs):
        _, largest = self._iterate()
        kernel = tf.cast(tf.convert_to_tensor(self._kernel.value) / largest, self.compute_dtype)
        outputs = tf.nn.conv2d(inputs, kernel, 1, self.padding.upper())
        return outputs if self.bias is None else outputs + tf.cast(self.bias, self.compute_dtype)

    def advance(self) -> None:
        """Moves the stored vector by one step of power iteration."""
        left, _ = self._iterate()
        self.left.assign(left)


@tf.custom_gradient
def instance_norm(x: tf.Tensor):
    """Normalizes every channel of every example to mean 0 and variance 1 over its pixels, at least in float32.

    The gradient is written out because the derived one makes three more passes over the features.

    Args:
        x: features, [B, H, W, C].

    Returns:
        Features, [B, H, W, C], float32 if they were bfloat16.
    """
    dtype = x.dtype
    x = widen(x)
    centred = x - _pixel_mean(x)
    inverse_deviation = tf.math.rsqrt(_pixel_mean(tf.square(centred)) + INSTANCE_NORM_EPSILON)
    normalized = centred * inverse_deviation

    def gradient(upstream):
        projection = normalized * _pixel_mean(upstream * normalized)
        return tf.cast((upstream - _pixel_mean(upstream) - projection) * inverse_deviation, dtype)

    return normalized, gradient


def _pixel_mean(x: tf.Tensor) -> tf.Tensor:
    """Averages [B, H, W, C] to [B, 1, 1, C]: rows first, since one long float32 sum would lose two digits."""
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)


class InstanceNorm(keras.layers.Layer):
    """Instance normalization with a scale and an offset per channel (epsilon 1e-5, biased variance)."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        # float32 with any policy of 16 bits: they are few, and what they are applied to is float32.
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        common = {"shape": (channels,), "dtype": dtype, "autocast": False}
        self.scale = self.add_weight(name="scale", initializer="ones", **common)
        self.offset = self.add_weight(name="offset", initializer="zeros", **common)
        self.built = True

    def call(self, x):
        return tf.cast(instance_norm(x) * self.scale + self.offset, self.compute_dtype)


class AdaIN(keras.layers.Layer):
    """Adaptive instance normalization: scale and offset of each channel come from the style (paper, appendix F)."""

    def __init__(self, channels: int, style_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.fc = keras.layers.Dense(2 * channels, kernel_initializer=he_normal(), dtype=self.dtype_policy, name="fc")
        self.fc.build((None, style_dim))
        self.built = True

    def call(self, x, style):
        modulation = widen(self.fc(style))[:, None, None, :]  # [B, 1, 1, 2 C]
        gamma, beta = tf.split(modulation, 2, axis=-1)
        return tf.cast((1.0 + gamma) * instance_norm(x) + beta, self.compute_dtype)


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
    """Picks each example's branch.

    Args:
        x: one result per domain and example, [K, B, ...].
        domain: integers, [B].

    Returns:
        [B, ...].
    """
    index = tf.stack([tf.cast(domain, tf.int32), tf.range(tf.shape(domain)[0])], axis=1)
    return tf.gather_nd(x, index)
