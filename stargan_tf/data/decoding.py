"""From a record to pixels, by OpenCV: those that Pillow gives, JPEG, PNG and lossless WebP alike."""

import cv2
import numpy as np

from stargan_tf.data import records
from stargan_tf.data.example_format import find_bytes
from stargan_tf.data.tfrecord import CorruptRecord

# The orientation that EXIF tells has been applied when the record was written.
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION

# One image is too little to be shared among threads; batches are read side by side. What OpenCV and its codecs have to
# say about a damaged image is raised, so that it need not be printed too.
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
        stored = np.frombuffer(find_bytes(data, records.IMAGE), np.uint8)
    except ValueError as error:
        raise CorruptRecord("it holds no Example with an image") from error
    if decoded:
        if len(stored) != image_size[0] * image_size[1] * 3:
            raise CorruptRecord(f"its image has {len(stored)} bytes, not those of {image_size[0]} x {image_size[1]} px")
        return stored.reshape(*image_size, 3)
    pixels = cv2.imdecode(stored, _RGB) if len(stored) else None
    if pixels is None:
        raise CorruptRecord("its image cannot be decoded")
    if pixels.shape[:2] != image_size:
        raise CorruptRecord(
            f"its image is {pixels.shape[0]} x {pixels.shape[1]} px, not {image_size[0]} x {image_size[1]}"
        )
    return pixels
