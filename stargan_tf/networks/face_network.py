"""The face network: from an image of a face to heatmaps of 98 landmarks.

It is the face alignment network published with the adaptive wing loss (arXiv 1904.07399).

The high-pass skip of the face generator needs it (StarGAN v2, appendix F). It is never trained here: normalizations use
their stored statistics.
"""

import keras
import tensorflow as tf

from stargan_tf.networks.convolution import conv
from stargan_tf.networks.layers import downsample, upsample, widen

IMAGE_SIDE = 256  # pixels of the images it sees
NUM_LANDMARKS = 98
NUM_HEATMAPS = NUM_LANDMARKS + 1  # the last one is the boundary of the face
DEPTH = 4

_BATCH_NORM_EPSILON = 1e-5


class FaceNetwork(keras.Model):
    """Stacked hourglass of one stage, with coordinates as additional channels."""

    def __init__(self, **kwargs):
        kwargs.setdefault("name", "face_alignment_network")  # part of the names in exported models
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.conv1 = _conv(3 + 3, 64, 7, dtype, use_bias=True, name="conv1")
        self.norm1 = BatchNorm(64, dtype=dtype, name="norm1")
        self.block2 = _Block(64, 128, dtype=dtype, name="block2")
        self.block3 = _Block(128, 128, dtype=dtype, name="block3")
        self.block4 = _Block(128, 256, dtype=dtype, name="block4")
        self.hourglass = _Hourglass(256, dtype=dtype, name="hourglass")
        self.top = _Block(256, 256, dtype=dtype, name="top")
        self.last = _conv(256, 256, 1, dtype, use_bias=True, name="last")
        self.last_norm = BatchNorm(256, dtype=dtype, name="last_norm")
        self.heatmaps = _conv(256, NUM_HEATMAPS, 1, dtype, use_bias=True, name="heatmaps")
        self.trainable = False
        self.built = True

    def call(self, images):
        """Finds landmarks.

        Args:
            images: square images of faces, [B, H, H, 3] in [-1, 1].

        Returns:
            Heatmaps [B, 64, 64, 99], float32 in mixed precision too: near 1 where a landmark is, near 0 elsewhere.
        """
        if images.shape[1] != IMAGE_SIDE or images.shape[2] != IMAGE_SIDE:
            images = tf.cast(tf.image.resize(images, (IMAGE_SIDE, IMAGE_SIDE)), images.dtype)
        x = (images + 1) / 2
        # The published convolution pads three pixels on each side; "same" would pad two and three.
        x = tf.pad(_append_coordinates(x), [[0, 0], [3, 3], [3, 3], [0, 0]])
        x = tf.nn.conv2d(x, tf.cast(self.conv1.kernel, x.dtype), 2, "VALID") + tf.cast(self.conv1.bias, x.dtype)
        x = tf.nn.relu(self.norm1(x))  # [B, 128, 128, 64]
        x = downsample(self.block2(x))
        x = self.block4(self.block3(x))  # [B, 64, 64, 256]
        x = self.top(self.hourglass(x))
        x = tf.nn.relu(self.last_norm(self.last(x)))
        return widen(self.heatmaps(x))


def landmarks(heatmaps: tf.Tensor) -> tf.Tensor:
    """Reads the places of landmarks off heatmaps, to a quarter of a cell.

    Args:
        heatmaps: [B, 64, 64, 99] or [B, 64, 64, 98].

    Returns:
        (x, y) in pixels of the 256 px image, measured from its corner: the centre of the first pixel is at 0.5.
        [B, 98, 2].
    """
    maps = tf.transpose(heatmaps[..., :NUM_LANDMARKS], (0, 3, 1, 2))  # [B, 98, 64, 64]
    side = maps.shape[-1]
    peak = tf.argmax(tf.reshape(maps, (-1, NUM_LANDMARKS, side * side)), axis=-1, output_type=tf.int32)
    row, column = peak // side, peak % side

    def value(row, column):
        index = row * side + column
        return tf.gather(tf.reshape(maps, (-1, NUM_LANDMARKS, side * side)), index, axis=2, batch_dims=2)

    inside = (row > 0) & (row < side - 1) & (column > 0) & (column < side - 1)
    last = side - 1
    right, left = value(row, tf.minimum(column + 1, last)), value(row, tf.maximum(column - 1, 0))
    below, above = value(tf.minimum(row + 1, last), column), value(tf.maximum(row - 1, 0), column)
    quarter = tf.cast(inside, maps.dtype) * 0.25
    x = tf.cast(column, maps.dtype) + 0.5 + quarter * tf.sign(right - left)
    y = tf.cast(row, maps.dtype) + 0.5 + quarter * tf.sign(below - above)
    return tf.stack([x, y], axis=-1) * (IMAGE_SIDE / side)


class BatchNorm(keras.layers.Layer):
    """Batch normalization by stored statistics (epsilon 1e-5), computed at least in float32."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        for name, initializer in (("scale", "ones"), ("offset", "zeros"), ("mean", "zeros"), ("variance", "ones")):
            weight = self.add_weight(
                name=name, shape=(channels,), initializer=initializer, trainable=False, autocast=False
            )
            setattr(self, name, weight)
        self.built = True

    def call(self, x):
        factor = self.scale * tf.math.rsqrt(self.variance + _BATCH_NORM_EPSILON)
        return tf.cast(widen(x) * factor + (self.offset - self.mean * factor), self.compute_dtype)


class _Block(keras.layers.Layer):
    """Residual block whose result is the concatenation of three convolutions, each fed by the one before."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        half, quarter = out_channels // 2, out_channels // 4
        self.norm1 = BatchNorm(in_channels, dtype=dtype, name="norm1")
        self.conv1 = _conv(in_channels, half, 3, dtype, name="conv1")
        self.norm2 = BatchNorm(half, dtype=dtype, name="norm2")
        self.conv2 = _conv(half, quarter, 3, dtype, name="conv2")
        self.norm3 = BatchNorm(quarter, dtype=dtype, name="norm3")
        self.conv3 = _conv(quarter, quarter, 3, dtype, name="conv3")
        self.shortcut_norm = self.shortcut = None
        if in_channels != out_channels:
            self.shortcut_norm = BatchNorm(in_channels, dtype=dtype, name="shortcut_norm")
            self.shortcut = _conv(in_channels, out_channels, 1, dtype, name="shortcut")
        self.built = True

    def call(self, x):
        first = self.conv1(tf.nn.relu(self.norm1(x)))
        second = self.conv2(tf.nn.relu(self.norm2(first)))
        third = self.conv3(tf.nn.relu(self.norm3(second)))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut(tf.nn.relu(self.shortcut_norm(x)))
        return tf.concat([first, second, third], -1) + x


class _Hourglass(keras.layers.Layer):
    """Four levels, each at half the resolution of the one above; every level adds what it saw at its own resolution.

    Lists are ordered by level: the first entry is the lowest level, the smallest features.
    """

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        dtype = self.dtype_policy

        def blocks(name: str) -> list[_Block]:
            made = [_Block(channels, channels, dtype=dtype, name=f"{name}_{level + 1}") for level in range(DEPTH)]
            for block in made:
                setattr(self, block.name, block)
            return made

        self.coordinates = _conv(channels + 3, channels, 1, dtype, use_bias=True, name="coordinates")
        self.beside = blocks("beside")
        self.before = blocks("before")
        self.lowest = _Block(channels, channels, dtype=dtype, name="lowest")
        self.after = blocks("after")
        self.built = True

    def call(self, x):
        return self._level(self.coordinates(_append_coordinates(x)), DEPTH - 1)

    def _level(self, x: tf.Tensor, level: int) -> tf.Tensor:
        low = self.before[level](downsample(x))
        low = self._level(low, level - 1) if level else self.lowest(low)
        return self.beside[level](x) + upsample(self.after[level](low))


def _append_coordinates(x: tf.Tensor) -> tf.Tensor:
    """Appends to features [B, H, H, C] three channels: row and column in [-1, 1], and the radius over its largest."""
    line = tf.linspace(tf.constant(-1.0, tf.float64), tf.constant(1.0, tf.float64), x.shape[1])
    row, column = tf.meshgrid(line, line, indexing="ij")
    radius = tf.sqrt(row**2 + column**2)
    channels = tf.cast(tf.stack([row, column, radius / tf.reduce_max(radius)], -1), x.dtype)
    return tf.concat([x, tf.broadcast_to(channels, (tf.shape(x)[0], *channels.shape))], -1)


def _conv(in_channels: int, filters: int, size: int, dtype, use_bias: bool = False, name=None):
    layer = conv(in_channels, filters, size, dtype, use_bias=use_bias, name=name)
    layer.trainable = False
    return layer
