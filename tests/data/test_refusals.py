"""Why files are not read: the sentence tells what they are, or which kind of image and what is wrong with it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stargan_tf.data.images import decode_image
from stargan_tf.data.refusals import UnreadableImage


def encode(image, encoding="PNG", **options):
    data = io.BytesIO()
    image.save(data, encoding, **options)
    return data.getvalue()


def tiff(tags, pixels=bytes(4096)):
    """A little-endian TIFF file of 8 x 8 pixels with these tags, all of one value of four bytes."""
    tags = {256: 8, 257: 8, 259: 1, 273: 10 + 12 * 16, 278: 8, 279: len(pixels), **tags}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(10 + 12 * 16, b"\0") + pixels


def with_wrong_checksum(kind):
    content = kind + b"Comment\0words"
    text = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content) ^ 1)
    png = encode(Image.new("RGB", (8, 8)))
    return png[:33] + text + png[33:]


JPEG = encode(Image.new("RGB", (8, 8)), "JPEG")
PRECISION = JPEG.index(b"\xff\xc0") + 4

CASES = {
    "page": (b"\n<!DOCTYPE html><html><body>404", "not_an_image", "not an image but an HTML page"),
    "page after a comment": (b"<!-- saved --><HTML>", "not_an_image", "not an image but an HTML page"),
    "drawing": (b'<?xml version="1.0"?><svg width="1">', "not_an_image", "not an image but a drawing (SVG)"),
    "XML": (b'<?xml version="1.0"?><Error><Code>AccessDenied', "not_an_image", "not an image but an XML document"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "not_an_image",
        "not an image but a pointer of Git LFS; `git lfs pull` fetches the image itself",
    ),
    "MP4": (b"\0\0\0\x18ftypmp42" + bytes(99), "not_an_image", "not an image but a video (MP4)"),
    "QuickTime": (b"\0\0\0\x14ftypqt  " + bytes(99), "not_an_image", "not an image but a video (QuickTime)"),
    "WebM": (b"\x1aE\xdf\xa3" + bytes(99), "not_an_image", "not an image but a video (Matroska or WebM)"),
    "AVI": (b"RIFF\1\0\0\0AVI LIST", "not_an_image", "not an image but a video (AVI)"),
    "PDF": (b"%PDF-1.7\n", "not_an_image", "not an image but a PDF document"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not_an_image", "not an image but a PostScript document"),
    "ZIP": (b"PK\3\4" + bytes(99), "not_an_image", "not an image but a ZIP archive"),
    "AppleDouble": (b"\0\5\x16\7\0\2\0\0Mac OS X", "not_an_image", "not an image but what macOS keeps beside a file"),
    "zeros": (bytes(5000), "not_an_image", "not an image but zeros: nothing was ever written"),
    "text": ("Grüße, und BM wie Bitmap".encode(), "not_an_image", "not an image but text"),
    "text like a bitmap": (b"BM, as bitmaps begin", "not_an_image", "not an image but text"),
    "anything": (bytes(range(256)), "not_an_image", "not an image but bytes of no kind that is known"),
    "empty": (b"", "empty", "empty file"),
    "JPEG XL": (b"\xff\x0a" + bytes(99), "unsupported", "its format, JPEG XL, is not read; convert it to PNG"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n", "unsupported", "its format, JPEG 2000, is not read"),
    "Photoshop": (encode(Image.new("L", (1, 1)), "PNG").replace(b"\x89PNG", b"8BPS"), "unsupported", "Photoshop"),
    "Netpbm": (encode(Image.new("L", (1, 1)), "PPM"), "unsupported", "its format, Netpbm, is not read"),
    "DICOM": (bytes(128) + b"DICM" + bytes(99), "unsupported", "its format, DICOM, is not read"),
    "CR3": (b"\0\0\0\x18ftypcrx " + bytes(99), "unsupported", "its format, camera's raw (CR3), is not read"),
    "16-bit Lab": (
        tiff({258: 16, 262: 8, 277: 3}),
        "unsupported",
        "a TIFF image of 3 x 16-bit CIELab pixels that cannot be read: unknown pixel mode",
    ),
    "double TIFF": (
        tiff({258: 64, 262: 1, 277: 1, 339: 3}),
        "unsupported",
        "a TIFF image of 1 x 64-bit floating-point grey pixels that cannot be read: unknown pixel mode",
    ),
    "float TIFF": (
        encode(Image.fromarray(np.zeros((8, 8), np.float32)), "TIFF"),
        "unsupported",
        "its values are floating-point numbers, which have no full range",
    ),
    "tEXt": (with_wrong_checksum(b"tEXt"), "damaged", "a PNG image that is damaged: .* checksum in b'tEXt'"),
    "iTXt": (with_wrong_checksum(b"iTXt"), "damaged", "a PNG image that is damaged: .* checksum in b'iTXt'"),
    "12-bit JPEG": (
        JPEG[:PRECISION] + b"\x0c" + JPEG[PRECISION + 1 :],
        "unsupported",
        "a JPEG image that cannot be read: cannot handle 12-bit layers",
    ),
    "JPEG without a frame": (JPEG[:4] + b"\xff\xff\xff", "damaged", "a JPEG image that is damaged: "),
    "cut JPEG": (JPEG[:-3], "damaged", "a JPEG image that is damaged: image file is truncated"),
    "cut BMP": (encode(Image.new("RGB", (8, 8)), "BMP")[:-30], "damaged", "a BMP image that is damaged: image file is"),
    "PNG of 10 bytes": (b"\x89PNG\r\n\x1a\n\0\0", "damaged", "a PNG image that is damaged: "),
    "GIF of a signature": (b"GIF89a", "damaged", "a GIF image that is damaged: "),
    "TIFF of a signature": (b"II*\0", "damaged", "a TIFF image that is damaged: "),
    "WebP of a signature": (b"RIFF\0\0\0\0WEBP", "damaged", "a WEBP image that is damaged: "),
    "BMP of a header": (b"BM" + bytes(12) + b"\x28\0\0\0", "damaged", "a BMP image that is damaged: "),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_tells_what_the_file_is_and_what_is_wrong(case):
    data, kind, reason = CASES[case]
    with pytest.raises(UnreadableImage) as caught:
        decode_image(data)
    message = str(caught.value)
    assert caught.value.kind == kind, message
    begin, _, end = reason.partition(".* ")
    assert begin in message and end in message, message
    assert "BytesIO" not in message and "\n" not in message


def test_too_many_pixels_are_no_damage():
    data = bytearray(encode(Image.new("L", (8, 8))))
    data[16:24] = struct.pack(">II", 30_000, 30_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(UnreadableImage, match=r"a PNG image of too many pixels: .*900000000 pixels") as caught:
        decode_image(bytes(data))
    assert caught.value.kind == "unsupported"
