import io

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.decoding import decode_record
from stargan_tf.data.records import serialize_example
from stargan_tf.data.tfrecord import CorruptRecord

RAMP = (np.add.outer(np.arange(32), np.arange(48))[..., None] * [3, 2, 1] % 256).astype(np.uint8)


def encode(encoding, pixels=RAMP, **options):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, encoding, **options)
    return data.getvalue()


def decode(image, decoded=False, size=(32, 48)):
    return decode_record(memoryview(serialize_example(image, 1, "key")), size, decoded)


@pytest.mark.parametrize(
    ("encoding", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 2}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_pixels_are_those_that_pillow_sees(encoding, options):
    data = encode(encoding, **options)
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("encoding", ["JPEG", "PNG"])
def test_grey_images_are_read_as_rgb(encoding):
    data = encode(encoding, RAMP[..., 0])
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_inks_are_read_as_rgb_too():
    """A kind of JPEG that libjpeg-turbo gives no RGB of."""
    inks = io.BytesIO()
    Image.fromarray(RAMP).convert("CMYK").save(inks, "JPEG", quality=95, subsampling=0)
    difference = np.abs(decode(inks.getvalue()).astype(int) - np.asarray(Image.open(inks).convert("RGB")))
    assert difference.mean() < 2


def test_the_orientation_of_exif_is_not_applied_again():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode("JPEG", exif=exif)
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))


def test_decoded_images_are_read_as_they_are():
    np.testing.assert_array_equal(decode(RAMP.tobytes(), decoded=True), RAMP)


@pytest.mark.parametrize(
    ("image", "decoded", "reason"),
    [
        (b"", False, "its image cannot be decoded"),
        (b"no image", False, "its image cannot be decoded"),
        (encode("JPEG")[:-20], False, "its image cannot be decoded"),
        (encode("PNG")[:-20], False, "its image cannot be decoded"),
        (encode("PNG", RAMP[:30]), False, "its image is 30 x 48 px, not 32 x 48"),
        (RAMP.tobytes()[:-1], True, "its image has 4607 bytes, not those of 32 x 48 px"),
    ],
)
def test_reasons(image, decoded, reason):
    with pytest.raises(CorruptRecord, match=reason):
        decode(image, decoded)


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff"])
def test_a_record_without_an_image_is_told(data):
    with pytest.raises(CorruptRecord, match="no Example with an image"):
        decode_record(memoryview(data), (32, 48), False)
