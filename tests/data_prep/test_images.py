import io

import numpy as np
import pytest
from PIL import Image

from data_prep.images import ImageOptions, RejectedImage, prepare_image
from stargan_tf.data.images import decode_image, fit_image


def noise(height, width, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def encode(image, encoding="PNG", **options):
    data = io.BytesIO()
    image.save(data, encoding, **options)
    return data.getvalue()


def prepare(data, image_size, encoding, **options):
    return prepare_image(data, ImageOptions(image_size=image_size, encoding=encoding, **options)).data


def open_image(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("encoding", ["PNG", "JPEG"])
def test_what_fits_is_stored_byte_for_byte(encoding):
    data = encode(noise(16, 24), encoding)
    for wanted in ("jpeg", "png"):
        assert prepare(data, (16, 24), wanted) == data


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down; the size stays the same.
    return encode(noise(16, 24), "JPEG", exif=exif)


def animated():
    return encode(noise(16, 24), "PNG", save_all=True, append_images=[noise(16, 24).rotate(180)])


def deep():
    """A PNG of 16 bits a channel, which Pillow can read but not write: made of a wide one by hand."""
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(range(24 * 6)) for _ in range(16))
    header = struct.pack(">IIBBBBB", 24, 16, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        encode(noise(24, 16)),
        encode(noise(16, 24), "BMP"),
        encode(noise(16, 24), "WEBP"),
        encode(noise(16, 24, channels=1)),
        encode(noise(16, 24, channels=4)),
        encode(noise(16, 24).convert("P")),
        encode(noise(16, 24).convert("CMYK"), "JPEG"),
        encode(noise(16, 24), transparency=(1, 2, 3)),
        rotated(),
        animated(),
        deep(),
    ],
    ids=[
        "other_size",
        "bmp",
        "webp",
        "grey",
        "alpha",
        "palette",
        "cmyk",
        "transparent_colour",
        "rotated",
        "animated",
        "16_bit",
    ],
)
def test_what_does_not_fit_is_encoded_anew_as_the_pixels_that_are_meant(data):
    stored = prepare(data, (16, 24), "png")
    image = open_image(stored)
    assert stored != data
    assert (image.format, image.size, image.mode) == ("PNG", (24, 16), "RGB")
    assert not getattr(image, "is_animated", False)
    np.testing.assert_array_equal(np.asarray(image), np.asarray(fit_image(decode_image(data), (16, 24))))


def test_jpeg_is_of_quality_95():
    data = prepare(encode(noise(64, 64)), (32, 32), "jpeg")
    assert open_image(data).format == "JPEG"
    assert open_image(data).quantization == open_image(encode(noise(8, 8), "JPEG", quality=95)).quantization


def test_the_quality_is_a_choice_and_is_estimated_from_a_file():
    for quality in (30, 75, 95):
        data = prepare(encode(noise(64, 64)), (32, 32), "jpeg", quality=quality)
        assert prepare_image(data, ImageOptions(image_size=(16, 16))).source_quality == pytest.approx(quality, abs=1)


def test_raw_images_are_pixels():
    data = encode(noise(16, 24))
    prepared = prepare_image(data, ImageOptions(image_size=(16, 24), encoding="raw"))
    assert prepared.data == np.asarray(open_image(data)).tobytes()
    assert not prepared.kept


def test_three_ways_to_fit():
    """A red square with blue left and right thirds."""
    pixels = np.full((32, 96, 3), (0, 0, 255), np.uint8)
    pixels[:, 32:64] = 255, 0, 0
    data = encode(Image.fromarray(pixels))

    def fitted(fit):
        options = ImageOptions(image_size=(16, 16), encoding="png", fit=fit, background=(0, 255, 0))
        return np.asarray(prepare_image(data, options).image).astype(int)

    red, blue, green = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    np.testing.assert_allclose(fitted("crop")[8, [1, 8, 14]], [red] * 3, atol=8)
    np.testing.assert_allclose(fitted("stretch")[8, [1, 8, 14]], [blue, red, blue], atol=8)
    np.testing.assert_allclose(fitted("pad")[8, [1, 8, 14]], [blue, red, blue], atol=8)
    np.testing.assert_array_equal(fitted("pad")[[0, 4, 11, 15], 8], [green] * 4)


def test_a_damaged_profile_is_ignored():
    data = encode(Image.new("RGB", (24, 16), (10, 20, 30)), icc_profile=b"no profile at all")
    np.testing.assert_array_equal(open_image(prepare(data, (16, 24), "png")).getpixel((0, 0)), (10, 20, 30))


def test_a_truncated_file_that_would_fit_is_refused():
    data = encode(noise(16, 24), "JPEG")
    with pytest.raises(RejectedImage, match=r"(?i)truncated") as caught:
        prepare(data[: len(data) // 2], (16, 24), "jpeg")
    assert caught.value.reason == "damaged"
