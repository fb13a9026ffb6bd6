"""PNG of 16 bits and a model that does not take their full range: the graph refuses, and what is sent has 8 bits."""

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import ImageConfig
from stargan_tf.data.images import read_image, to_array
from stargan_tf.serving.decoding.images import decode_images
from stargan_tf.serving.sendable_images import as_png, is_sendable
from tests.png_files import png

SIZE = (16, 24)
SCAN = np.linspace(0, 4095, 16 * 24).astype(np.uint16).reshape(SIZE)
COLOURS = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
REFUSED = (
    "image_bytes has 16 bits, of which this model does not take the full range; "
    "stargan_tf.serving.client sends such images with 8 bits"
)


def decode(how, *rows):
    images, errors = tf.function(lambda data: decode_images(data, SIZE, 1000, "image_bytes", how), autograph=False)(
        tf.constant(rows)
    )
    return images.numpy(), [error.decode() for error in errors.numpy()]


@pytest.mark.parametrize("value_range", ["file", (0, 4095)])
def test_the_graph_refuses_what_it_would_show_dark(value_range):
    how = ImageConfig(value_range=value_range)
    images, errors = decode(how, png(SCAN), png(COLOURS), png(SCAN)[:24], as_png(png(SCAN), how))
    assert errors == [REFUSED, "", "image_bytes is a damaged PNG file", ""]
    np.testing.assert_array_equal(images[1], to_array(read_image(png(COLOURS), SIZE, how)))
    np.testing.assert_array_equal(images[3], to_array(read_image(png(SCAN), SIZE, how)))
    assert not is_sendable(png(SCAN), how) and is_sendable(png(COLOURS), how)


def test_the_full_range_is_decoded():
    assert decode(ImageConfig(), png(SCAN))[1] == [""]
    assert is_sendable(png(SCAN), ImageConfig()) and is_sendable(png(SCAN))


def test_the_model_card_tells_the_range():
    from stargan_tf.serving.model_card import _images

    known = {"fit": "crop", "background": (255, 255, 255)}
    assert "bits" not in _images({**known, "value_range": "full"})
    assert _images({**known, "value_range": [0, 4095]}).endswith("of more than 8 bits, 0 is black and 4095 white")
    assert "the least and the greatest value" in _images({**known, "value_range": "file"})
