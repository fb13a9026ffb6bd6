"""Cropping and resizing inside a TensorFlow graph, as Pillow does it."""

import tensorflow as tf


def fit(pixels: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """As `data.images.fit_image`; [height, width, 3] uint8.

    An image that has the size goes through unchanged: the kernel then is 1 at its centre and 0 at all other pixels.
    """
    height, width = image_size
    shape = tf.cast(tf.shape(pixels), tf.float64)
    scale = tf.minimum(shape[0] / height, shape[1] / width)

    def resize_vertically(pixels: tf.Tensor) -> tf.Tensor:
        return _resize_rows(pixels, height, scale)

    def resize_horizontally(pixels: tf.Tensor) -> tf.Tensor:
        # TensorFlow's operation makes its first, vertical pass to float32. Transposed, that pass shrinks the image, so
        # that the whole image is never float32.
        return tf.transpose(_resize_rows(tf.transpose(pixels, [1, 0, 2]), width, scale), [1, 0, 2])

    # Pillow rounds each of its two passes to 8 bits, so their order matters; it changes it for very tall images.
    tall = (shape[0] > 100 * shape[1]) & (shape[0] > height)
    pixels = tf.cond(
        tall,
        lambda: resize_horizontally(resize_vertically(pixels)),
        lambda: resize_vertically(resize_horizontally(pixels)),
    )
    return tf.ensure_shape(pixels, [height, width, 3])


def _resize_rows(pixels: tf.Tensor, height: int, scale: tf.Tensor) -> tf.Tensor:
    """Resizes `height * scale` rows from the middle, with the Lanczos filter and antialiasing, to `height` rows."""
    rows = tf.cast(tf.shape(pixels)[0], tf.float64)
    top = (rows - scale * height) / 2
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
