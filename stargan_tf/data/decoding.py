"""From a record to the pixels that Pillow gives: JPEG by libjpeg-turbo, PNG and lossless WebP by OpenCV."""

import cv2
import numpy as np
import simplejpeg

from stargan_tf.data import records
from stargan_tf.data.example_format import find_bytes
from stargan_tf.data.tfrecord import CorruptRecord

# The orientation that EXIF tells has been applied when the record was written.
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG = b"\xff\xd8"  # how a file begins

# One image is too small to be split among threads; whole batches are read in parallel instead. What is wrong with a
# damaged image is raised as an error, so that OpenCV need not print it.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode_record(data: memoryview, image_size: tuple[int, int], decoded: bool) -> np.ndarray:
    """Decodes the image of a record.

    Args:
        data: a serialized Example.
        image_size: height and width that the image must have, in pixels.
        decoded: whether the image is stored decoded, as its bytes row by row, see `records.DataDirectory`.

    Returns:
        [height, width, 3] uint8; of an image that is stored decoded a view of `data`.

    Raises:
        CorruptRecord: it is no Example, or has no such image.
    """
    try:
        stored = find_bytes(data, records.IMAGE)
    except ValueError as error:
        raise CorruptRecord("it holds no Example with an image") from error
    if decoded:
        if len(stored) != image_size[0] * image_size[1] * 3:
            raise CorruptRecord(f"its image has {len(stored)} bytes, not those of {image_size[0]} x {image_size[1]} px")
        return np.frombuffer(stored, np.uint8).reshape(*image_size, 3)
    pixels = decode_image_file(stored)
    if pixels is None:
        raise CorruptRecord("its image cannot be decoded")
    if pixels.shape[:2] != image_size:
        raise CorruptRecord(
            f"its image is {pixels.shape[0]} x {pixels.shape[1]} px, not {image_size[0]} x {image_size[1]}"
        )
    return pixels


def decode_image_file(encoded: bytes | memoryview) -> np.ndarray | None:
    """Decodes an image as training does.

    Args:
        encoded: a JPEG or PNG file, or a lossless WebP one.

    Returns:
        [height, width, 3] uint8, RGB; None if it cannot be decoded.
    """
    if encoded[:2] == _JPEG:
        try:
            return simplejpeg.decode_jpeg(encoded)  # a fifth faster than OpenCV
        except ValueError:  # damaged, or of a kind that it cannot make RGB of: OpenCV has the last word
            pass
    return cv2.imdecode(np.frombuffer(encoded, np.uint8), _RGB) if len(encoded) else None
