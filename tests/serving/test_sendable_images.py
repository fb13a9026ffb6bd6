"""Images of formats that the served graph does not decode, made PNG before they are sent."""

import io

import numpy as np
import pytest
from PIL import Image

from stargan_tf.config.images import UNRECORDED
from stargan_tf.data.images import UnreadableImage, decode_image
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.data_prep.test_hostile_folder import wide_gamut

HEIGHT, WIDTH = 24, 40
ORIENTATION = 0x0112


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encode(image, encoding, **options):
    file = io.BytesIO()
    image.save(file, encoding, **options)
    return file.getvalue()


RGB = Image.fromarray(pixels(HEIGHT, WIDTH, 3))
RGBA = Image.fromarray(pixels(HEIGHT, WIDTH, 4))
GREY_16 = Image.fromarray(pixels(HEIGHT, 2 * WIDTH).view(np.uint16))
FRAMES = [Image.fromarray(pixels(HEIGHT, WIDTH, seed=seed)) for seed in range(3)]
EXIF = Image.Exif()
EXIF[ORIENTATION] = 6
PROFILE = Image.open(io.BytesIO(wide_gamut())).info["icc_profile"]

FILES = {
    "WebP": encode(RGB, "WEBP", lossless=True),
    "WebP with alpha": encode(RGBA, "WEBP", lossless=True, exact=True),
    "animated WebP": encode(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]),
    "turned WebP": encode(RGB, "WEBP", lossless=True, exif=EXIF),
    "WebP of other primaries": encode(RGB, "WEBP", lossless=True, icc_profile=PROFILE),
    "GIF": encode(RGB, "GIF"),
    "GIF with a transparent colour": encode(RGB.quantize(16), "GIF", transparency=3),
    "animated GIF": encode(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "BMP": encode(RGB, "BMP"),
    "BMP with alpha": encode(RGBA, "BMP"),
    "BMP with a palette": encode(RGB.quantize(16), "BMP"),
    "TIFF": encode(RGB, "TIFF"),
    "TIFF of CMYK": encode(RGB.convert("CMYK"), "TIFF"),
    "TIFF of 16 bits": encode(GREY_16, "TIFF"),
    "turned TIFF": encode(RGB, "TIFF", tiffinfo={ORIENTATION: 6}),
    "TIFF of several pages": encode(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]),
}


@pytest.mark.parametrize("case", FILES)
def test_what_becomes_png_looks_as_everywhere_else(case):
    assert not is_sendable(FILES[case])
    png = as_png(FILES[case], UNRECORDED)
    assert is_sendable(png)
    expected = decode_image(FILES[case])
    assert expected.size == ((HEIGHT, WIDTH) if case.startswith("turned") else (WIDTH, HEIGHT))
    np.testing.assert_array_equal(np.asarray(decode_image(png)), np.asarray(expected))
    with Image.open(io.BytesIO(png)) as image:
        # What the graph sees of it: nothing is left to be mixed, turned or converted.
        assert image.mode == "RGB" and ORIENTATION not in image.getexif()
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


def test_colours_are_converted():
    assert np.abs(np.asarray(decode_image(FILES["WebP of other primaries"]), int) - np.asarray(RGB, int)).max() > 50


def test_avif():
    see_through = RGBA.copy()
    see_through.putalpha(Image.new("L", RGBA.size, 0))
    white = decode_image(as_png(encode(see_through, "AVIF", quality=100), UNRECORDED))
    np.testing.assert_array_equal(np.asarray(white), 255)
    smooth = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    turned = decode_image(as_png(encode(smooth, "AVIF", quality=100, exif=EXIF), UNRECORDED))
    expected = smooth.transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_allclose(np.asarray(turned, int), np.asarray(expected, int), atol=4)


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "MPO"])
def test_what_the_graph_decodes_is_sent_as_it_is(encoding):
    assert is_sendable(encode(RGB, encoding, exif=EXIF))


@pytest.mark.parametrize(
    "case", [case for case in FILES if not case.startswith(("animated", "BMP")) and "pages" not in case]
)
def test_broken_files_are_refused(case):
    with pytest.raises(UnreadableImage, match=r"."):
        as_png(FILES[case][: len(FILES[case]) // 2], UNRECORDED)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not an image", "^not an image but text$"),
        (b"RIFF\0\0\0\0WEBP", "^a WEBP image that is damaged: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "^not an image but a PostScript document$"),
    ],
)
def test_what_is_no_image_of_these_formats_is_refused(data, reason):
    assert not is_sendable(data)
    with pytest.raises(UnreadableImage, match=reason):
        as_png(data, UNRECORDED)


def test_an_image_that_is_too_large_is_refused_by_its_header():
    data = FILES["BMP"]
    assert as_png(data, UNRECORDED, HEIGHT * WIDTH) == as_png(data, UNRECORDED)
    with pytest.raises(
        UnreadableImage, match=rf"^it has 40 x 24 pixels; at most {HEIGHT * WIDTH - 1} pixels are taken$"
    ):
        as_png(data[:100], UNRECORDED, HEIGHT * WIDTH - 1)


@pytest.mark.filterwarnings("error")
def test_a_huge_header_is_left_to_the_model():
    """Pillow would warn of it on the terminal."""
    assert is_sendable(encode(Image.new("1", (10_000, 10_000)), "PNG"))
