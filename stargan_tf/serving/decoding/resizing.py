"""Cropping, padding and resizing inside a TensorFlow graph, as Pillow does it."""

import tensorflow as tf

from stargan_tf.config import ImageConfig


def fit(pixels: tf.Tensor, image_size: tuple[int, int], how: ImageConfig) -> tf.Tensor:
    """As `data.images.fit_image`; [height, width, 3] uint8.

    An image that has the size goes through unchanged: the kernel then is 1 at its centre and 0 at all other pixels.
    """
    wanted = tf.constant(image_size, tf.int32)
    shape = tf.shape(pixels)[:2]
    sides = tf.cast(shape, tf.float64)
    if how.fit == "pad":
        inner = tf.cast(tf.round(tf.reduce_min(tf.cast(wanted, tf.float64) / sides) * sides), tf.int32)
        inner = tf.clip_by_value(inner, 1, wanted)
        resized = _resize(pixels, inner, sides / tf.cast(inner, tf.float64))
        fitted = _on_canvas(resized, inner, wanted, how)
    elif how.fit == "stretch":
        fitted = _resize(pixels, wanted, sides / tf.cast(wanted, tf.float64))
    else:
        scale = tf.reduce_min(sides / tf.cast(wanted, tf.float64))
        fitted = _resize(pixels, wanted, tf.stack([scale, scale]))
    return tf.ensure_shape(fitted, [*image_size, 3])


def _resize(pixels: tf.Tensor, wanted: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Resizes `wanted * scale` pixels from the middle to `wanted` pixels, each [height, width]."""

    def resize_vertically(pixels: tf.Tensor) -> tf.Tensor:
        return _resize_rows(pixels, wanted[0], scale[0])

    def resize_horizontally(pixels: tf.Tensor) -> tf.Tensor:
        # TensorFlow's operation makes its first, vertical pass to float32. Transposed, that pass shrinks the image, so
        # that the whole image is never float32.
        return tf.transpose(_resize_rows(tf.transpose(pixels, [1, 0, 2]), wanted[1], scale[1]), [1, 0, 2])

    # Pillow rounds each of its two passes to 8 bits, so their order matters; it changes it for very tall images.
    height, width = tf.unstack(tf.shape(pixels)[:2])
    return tf.cond(
        (height > 100 * width) & (height > wanted[0]),
        lambda: resize_horizontally(resize_vertically(pixels)),
        lambda: resize_vertically(resize_horizontally(pixels)),
    )


def _on_canvas(pixels: tf.Tensor, size: tf.Tensor, wanted: tf.Tensor, how: ImageConfig) -> tf.Tensor:
    """Puts [height, width, 3] into the middle of the background."""
    before = (wanted - size) // 2
    after = wanted - size - before
    paddings = tf.stack([before, after], axis=1)
    background = how.known().background
    assert background is not None
    channels = [
        tf.pad(pixels[..., channel], paddings, constant_values=value) for channel, value in enumerate(background)
    ]
    return tf.stack(channels, axis=-1)


def _resize_rows(pixels: tf.Tensor, height: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Resizes `height * scale` rows from the middle, with the Lanczos filter and antialiasing, to `height` rows."""
    rows = tf.cast(tf.shape(pixels)[0], tf.float64)
    top = (rows - scale * tf.cast(height, tf.float64)) / 2
    # Without the rows beyond the filter's reach, float32 holds positions with more digits.
    reach = 3 * tf.maximum(scale, 1) + 1
    first = tf.maximum(tf.floor(top - reach), 0)
    last = tf.minimum(tf.math.ceil(rows - top + reach), rows)
    pixels = pixels[tf.cast(first, tf.int32) : tf.cast(last, tf.int32)]
    resized = tf.raw_ops.ScaleAndTranslate(
        images=pixels[tf.newaxis],
        size=tf.stack([height, tf.shape(pixels)[1]]),
        scale=tf.cast(tf.stack([1 / scale, 1]), tf.float32),
        translation=tf.cast(tf.stack([(first - top) / scale, 0]), tf.float32),
        kernel_type="lanczos3",
        antialias=True,
    )[0]
    return tf.cast(tf.clip_by_value(tf.floor(resized + 0.5), 0, 255), tf.uint8)
