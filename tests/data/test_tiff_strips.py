"""TIFF images whose strips end too early: each decoding gave other pixels, or grey where something is missing."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from stargan_tf.data.images import decode_image
from stargan_tf.data.refusals import UnreadableImage

FAX = Image.fromarray(np.random.default_rng(0).random((64, 96)) > 0.9)
PHOTO = Image.linear_gradient("L").resize((96, 64)).convert("RGB")
WHITE = Image.new("1", (96, 64), 1)


def tiff(image, compression, rows=64, tags=()):
    data = io.BytesIO()
    image.save(data, "TIFF", compression=compression, tiffinfo={TiffImagePlugin.ROWSPERSTRIP: rows, **dict(tags)})
    return data.getvalue()


def shorten(data, strip, share):
    """Lets a strip have a share of its bytes."""
    with Image.open(io.BytesIO(data)) as image:
        offset, counts = image.tag_v2._offset, image.tag_v2[TiffImagePlugin.STRIPBYTECOUNTS]
    changed = bytearray(data)
    for entry in range(struct.unpack_from("<H", data, offset)[0]):
        place = offset + 2 + 12 * entry
        tag, kind, count = struct.unpack_from("<HHI", data, place)
        if tag == TiffImagePlugin.STRIPBYTECOUNTS:
            letter, size = {3: ("H", 2), 4: ("I", 4)}[kind]
            inline = count * size <= 4
            start = place + 8 if inline else struct.unpack_from("<I", data, place + 8)[0]
            struct.pack_into(f"<{letter}", changed, start + size * strip, int(share * counts[strip]))
    return bytes(changed)


CODECS = ("group3", "group4", "tiff_ccitt", "jpeg", "packbits", "tiff_lzw", "tiff_deflate")


def picture(codec):
    return PHOTO if codec == "jpeg" else FAX


@pytest.mark.parametrize("rows", [64, 16, 24])
@pytest.mark.parametrize("codec", CODECS)
def test_whole_strips_are_read(codec, rows):
    decoded = np.asarray(decode_image(tiff(picture(codec), codec, rows)), int)
    assert np.abs(decoded - np.asarray(picture(codec).convert("RGB"))).max() <= (3 if codec == "jpeg" else 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(("rows", "strip"), [(64, 0), (16, 2), (24, 2)])
@pytest.mark.parametrize("codec", CODECS)
def test_strips_that_end_too_early_are_refused(codec, rows, strip, share):
    data = shorten(tiff(picture(codec), codec, rows), strip, share)
    with pytest.raises(UnreadableImage) as caught:
        decode_image(data)
    if codec in ("group4", "jpeg"):
        assert "rows of a strip are missing" in str(caught.value)


def test_missing_rows_of_paper_are_missing_too():
    """Where what memory happens to hold would look right."""
    for image in (WHITE, WHITE.point(lambda value: 255 - value)):
        assert decode_image(tiff(image, "group4")).getpixel((5, 60)) in ((0, 0, 0), (255, 255, 255))
        with pytest.raises(UnreadableImage, match="truncated"):
            decode_image(shorten(tiff(image, "group4"), 0, 0.5))


def test_the_other_order_of_bits():
    for codec in ("group3", "group4"):
        data = tiff(FAX, codec, tags={TiffImagePlugin.FILLORDER: 2})
        with Image.open(io.BytesIO(data)) as image:
            assert image.tag_v2[TiffImagePlugin.FILLORDER] == 2
        np.testing.assert_array_equal(decode_image(data), FAX.convert("RGB"))
        with pytest.raises(UnreadableImage, match="truncated"):
            decode_image(shorten(data, 0, 0.5))


def test_a_layout_that_two_readers_understand_differently_is_refused():
    """Pillow took four bytes for each pixel of a strip where libtiff had put three."""
    data = tiff(PHOTO, "jpeg")
    place = data.index(struct.pack("<HHI", TiffImagePlugin.PLANAR_CONFIGURATION, 3, 1))
    changed = data[: place + 2] + struct.pack("<H", 7) + data[place + 4 :]
    with pytest.raises(UnreadableImage, match="its header is damaged: tag 284 is no number"):
        decode_image(changed)


def test_codes_that_the_decoder_gives_up_at_are_refused():
    """The rows after them were what was in memory."""
    data = tiff(FAX, "group4")
    with Image.open(io.BytesIO(data)) as image:
        (offset,) = image.tag_v2[TiffImagePlugin.STRIPOFFSETS]
    changed = bytearray(data)
    changed[offset + 300 : offset + 303] = b"\0\0\0"
    with pytest.raises(UnreadableImage, match="rows of a strip are missing"):
        decode_image(bytes(changed))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_images(orientation):
    """Of which Pillow tells the size that they have when they are upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    FAX.save(data, "TIFF", compression="group4", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data.getvalue()))).convert("RGB")
    np.testing.assert_array_equal(decode_image(data.getvalue()), expected)
    with pytest.raises(UnreadableImage, match="truncated"):
        decode_image(shorten(data.getvalue(), 0, 0.9))


@pytest.mark.parametrize(
    ("codec", "field"),
    [
        ("group3", TiffImagePlugin.IMAGELENGTH),
        ("group4", TiffImagePlugin.IMAGELENGTH),
        ("jpeg", TiffImagePlugin.IMAGELENGTH),
        ("jpeg", TiffImagePlugin.IMAGEWIDTH),
    ],
)
def test_a_size_that_does_not_fit_the_strips(codec, field):
    data = tiff(picture(codec), codec, 16)
    with Image.open(io.BytesIO(data)) as image:
        offset = image.tag_v2._offset
    for entry in range(struct.unpack_from("<H", data, offset)[0]):
        place = offset + 2 + 12 * entry
        tag, kind, _ = struct.unpack_from("<HHI", data, place)
        if tag == field:
            higher = bytearray(data)
            struct.pack_into("<H" if kind == 3 else "<I", higher, place + 8, 640)
            with pytest.raises(UnreadableImage, match=r"."):
                decode_image(bytes(higher))
            return
    raise AssertionError
