"""Images of more than 8 bits: what becomes black and white."""

import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.command_line import from_values
from stargan_tf.config import Config, ImageConfig, load, save
from stargan_tf.data.images import decode_image
from stargan_tf.data.refusals import UnreadableImage
from tests.png_files import png

# 12 bits: a scan whose values begin at 100.
SCAN = np.linspace(100, 4000, 48 * 32).astype(np.uint16).reshape(32, 48)


def tiff(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "TIFF")
    return data.getvalue()


def decode(data, value_range):
    return np.asarray(decode_image(data, ImageConfig(value_range=value_range)), int)


@pytest.mark.parametrize("data", [png(SCAN), tiff(SCAN), tiff(SCAN.astype(np.int32))], ids=["PNG", "TIFF", "32 bits"])
def test_three_ranges(data):
    grey = decode(data, "full")
    np.testing.assert_array_equal(grey[..., 0], (SCAN.astype(int) + 128) // 257)
    np.testing.assert_array_equal(grey, decode(data, None))
    for value_range, black, white in (("file", 100, 4000), ((0, 4095), 0, 4095), ((1000, 2000), 1000, 2000)):
        expected = (SCAN.clip(black, white) - float(black)) / (white - black) * 255
        assert np.abs(decode(data, value_range)[..., 1] - expected).max() <= 0.5 + 1e-6


def test_a_range_is_for_images_of_more_than_8_bits():
    pixels = np.arange(48 * 32 * 3, dtype=np.uint8).reshape(32, 48, 3)
    np.testing.assert_array_equal(decode(png(pixels), (0, 100)), pixels)


def test_large_images_are_of_one_range():
    """They are converted a few rows after the other."""
    pixels = np.linspace(0, 5000, 2000 * 1500).astype(np.uint16).reshape(2000, 1500)
    decoded = decode(png(pixels), "file")[..., 0]
    assert decoded[0, 0] == 0 and decoded[-1, -1] == 255 and (np.diff(decoded[:, 0]) >= 0).all()


def test_floating_point_needs_a_range():
    pixels = np.linspace(-1, 1, 48 * 32, dtype=np.float32).reshape(32, 48)
    with pytest.raises(UnreadableImage, match=r"floating-point numbers, which have no full range; .* --value_range"):
        decode(tiff(pixels), "full")
    np.testing.assert_array_equal(decode(tiff(pixels), "file"), decode(tiff(pixels), (-1, 1)))
    assert decode(tiff(pixels), (-1, 1)).max() == 255
    pixels[3, 3] = np.nan
    with pytest.raises(UnreadableImage, match="no numbers"):
        decode(tiff(pixels), "file")


def test_values_beyond_16_bits_need_a_range():
    pixels = np.full((32, 48), 100_000, np.int32)
    with pytest.raises(UnreadableImage, match=r"100000 to 100000, go beyond 16 bits; .* --value_range"):
        decode(tiff(pixels), "full")
    assert decode(tiff(pixels), (0, 200_000))[0, 0, 0] == 128
    assert decode(tiff(pixels), "file").max() == 0


def test_colours_of_16_bits_are_not_read_otherwise_than_asked_for():
    pixels = np.stack([SCAN] * 3, axis=-1)
    np.testing.assert_array_equal(decode(png(pixels), "full"), pixels >> 8)
    for value_range in ("file", (0, 4095)):
        with pytest.raises(UnreadableImage, match="16 bits, which are read in their full range only") as caught:
            decode(png(pixels), value_range)
        assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("value_range", ["full", "file", (0, 4095)])
def test_a_range_is_kept_by_configurations_and_model_cards(value_range, tmp_path):
    how = ImageConfig("crop", (255, 255, 255), value_range)
    config = replace(Config(), images=how)
    save(config, tmp_path / "config.yaml")
    assert load(tmp_path / "config.yaml").images == how
    assert from_values(ImageConfig, json.loads(json.dumps(asdict(how))), "the model card") == how
