import io

import numpy as np
import pytest
from PIL import Image

from stargan_tf.config import ImageConfig
from stargan_tf.data.images import UnreadableImage, decode_image, fit_image, to_array, to_image, unfit_image


def encode(image, encoding="PNG", **options):
    data = io.BytesIO()
    image.save(data, encoding, **options)
    return data.getvalue()


def noise(height, width):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (32, 16), "red")
    image.paste("blue", (16, 0, 32, 16))  # Right half.
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by 90 degrees clockwise: the right half comes to the bottom.
    upright = decode_image(encode(image, "PNG", exif=exif))
    assert upright.size == (16, 32)
    assert upright.getpixel((8, 4)) == (255, 0, 0) and upright.getpixel((8, 28)) == (0, 0, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode):
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 2, 4))
    decoded = decode_image(encode(image.convert(mode)))
    assert decoded.mode == "RGB"
    assert decoded.getpixel((0, 0)) == (0, 0, 0) and decoded.getpixel((3, 3)) == (255, 255, 255)


def test_half_transparent_is_mixed_with_white():
    assert decode_image(encode(Image.new("RGBA", (1, 1), (255, 0, 0, 128)))).getpixel((0, 0)) == (255, 127, 127)


@pytest.mark.parametrize(("mode", "white"), [("L", 255), ("1", 1), ("CMYK", (0, 0, 0, 0))])
def test_other_modes_become_rgb(mode, white):
    image = Image.new(mode, (4, 4), white)
    decoded = decode_image(encode(image, "TIFF"))
    assert decoded.mode == "RGB" and decoded.getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_truncated_files_are_refused(encoding):
    data = encode(noise(64, 64), encoding)
    decode_image(data)
    with pytest.raises(UnreadableImage):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize(("data", "reason"), [(b"", "empty file"), (b"I am no image.", "^not an image but text$")])
def test_reasons(data, reason):
    with pytest.raises(UnreadableImage, match=reason):
        decode_image(data)


def test_fitting_an_image_of_that_size_changes_nothing():
    image = noise(16, 24)
    assert fit_image(image, (16, 24)) is image


@pytest.mark.parametrize("size", [(64, 64), (64, 200), (200, 64), (100, 75), (101, 64)])
@pytest.mark.parametrize("wanted", [(16, 16), (16, 32), (32, 16)])
def test_fitting_crops_the_centre(size, wanted):
    """Red is the column and green the row of a pixel, so that colours tell where the fitted image was taken."""
    columns, rows = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    image = Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))
    fitted = np.asarray(fit_image(image, wanted), float)
    assert fitted.shape == (*wanted, 3)
    scale = min(size[0] / wanted[0], size[1] / wanted[1])
    for axis, channel in ((0, 1), (1, 0)):
        centres = (np.arange(wanted[axis]) + 0.5 - wanted[axis] / 2) * scale + size[axis] / 2 - 0.5
        seen = fitted[..., channel].mean(axis=1 - axis)
        np.testing.assert_allclose(seen[3:-3], centres[3:-3], atol=0.6)  # At the edges the filter lacks one side.


def test_fitting_antialiases():
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32))).convert("RGB")  # One pixel wide.
    assert np.abs(np.asarray(fit_image(stripes, (16, 16)), float)[:, 2:-2] - 127.5).max() < 3


def test_arrays_and_back():
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    array = to_array(image)
    assert array.dtype == np.float32 and array.shape == (16, 16, 3)
    assert array.min() == -1 and array.max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(np.asarray(to_image(array)), np.asarray(image))


def test_to_image_clips_and_rounds():
    array = np.array([[[-7.0, 7.0, 0.0]]])
    assert to_image(array).getpixel((0, 0)) == (0, 255, 128)
    assert to_image(np.full((1, 1, 3), 0.9999 / 127.5 - 1)).getpixel((0, 0)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("fit", "size", "wanted"),
    [
        ("crop", (400, 712), (400, 400)),
        ("crop", (90, 40), (40, 40)),
        ("stretch", (400, 712), (400, 712)),
        ("pad", (400, 712), (400, 712)),
        ("pad", (30, 20), (30, 20)),
    ],
)
def test_what_was_fitted_gets_the_size_back_of_what_was_seen(fit, size, wanted):
    how = ImageConfig(fit=fit, background=(255, 0, 0))
    shades = Image.linear_gradient("L").resize(size).convert("RGB")
    back = unfit_image(fit_image(shades, (32, 32), how), size, how)
    assert back.size == wanted
    seen = shades if fit != "crop" else fit_image(shades, wanted[::-1], how)
    # The padding, which is red, is gone; what was lost in between is little of a gradient.
    assert np.abs(np.asarray(back, float) - np.asarray(seen, float)).mean() < 3
