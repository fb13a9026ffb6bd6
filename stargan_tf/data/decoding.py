"""From a record to pixels, by OpenCV: those that Pillow gives, JPEG, PNG and lossless WebP alike."""

import cv2
import numpy as np
import tensorflow as tf

from stargan_tf.data import records
from stargan_tf.data.record_files import CorruptRecord

# The orientation that EXIF tells has been applied when the record was written.
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# One image is too little to be shared among threads; batches are read side by side. What OpenCV and its codecs have to
# say about a damaged image is raised, so that it need not be printed too.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode_record(data: bytes, image_size: tuple[int, int], decoded: bool) -> tuple[np.ndarray, tf.train.Example]:
    """Decodes the image of a record.

    Args:
        data: a serialized Example.
        image_size: height and width that the image must have, in pixels.
        decoded: whether the image is stored decoded, as its bytes row by row, see `records.DataDirectory`.

    Returns:
        [height, width, 3] uint8, and the Example.

    Raises:
        CorruptRecord: it is no Example, or has no such image.
    """
    try:
        example = tf.train.Example.FromString(data)
        stored = example.features.feature[records.IMAGE].bytes_list.value[0]
    except Exception as error:  # protobuf's own, or IndexError
        raise CorruptRecord("it holds no Example with an image") from error
    if decoded:
        if len(stored) != image_size[0] * image_size[1] * 3:
            raise CorruptRecord(f"its image has {len(stored)} bytes, not those of {image_size[0]} x {image_size[1]} px")
        return np.frombuffer(stored, np.uint8).reshape(*image_size, 3), example
    pixels = cv2.imdecode(np.frombuffer(stored, np.uint8), _RGB) if stored else None
    if pixels is None:
        raise CorruptRecord("its image cannot be decoded")
    if pixels.shape[:2] != image_size:
        raise CorruptRecord(
            f"its image is {pixels.shape[0]} x {pixels.shape[1]} px, not {image_size[0]} x {image_size[1]}"
        )
    return pixels, example
