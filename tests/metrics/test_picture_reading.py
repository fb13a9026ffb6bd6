"""What is read off pictures is what they were drawn from."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep import synthetic
from stargan_tf.metrics import picture_reading
from tests.metrics.generated_pictures import pictures


@pytest.fixture(scope="module")
def reading(factors):
    return picture_reading.read(pictures(factors))


def test_what_is_looked_for_is_what_is_drawn():
    assert picture_reading.SHAPES == synthetic.DOMAINS
    assert picture_reading.TEXTURES == synthetic.TEXTURES and picture_reading.OUTLINES == synthetic.OUTLINES
    assert picture_reading.TEXTURE_PITCH == synthetic._TEXTURE_PITCH
    assert picture_reading.OUTLINE_WIDTH == synthetic._OUTLINE_WIDTH


def test_content_and_domain_are_read_right(factors, reading):
    shapes = [picture_reading.SHAPES.index(one.domain) for one in factors]
    np.testing.assert_array_equal(reading.shape, shapes)
    off = np.hypot(reading.x - [one.x for one in factors], reading.y - [one.y for one in factors])
    assert off.max() < 0.02
    assert np.abs(reading.radius / [one.radius for one in factors] - 1).max() < 0.15
    assert reading.fit.min() > 0.85


def test_style_is_read_right(factors, reading):
    assert picture_reading.hue_distance(reading.hue, [one.hue for one in factors]).max() < 3
    assert np.mean(reading.texture == [picture_reading.TEXTURES.index(one.texture) for one in factors]) >= 0.98
    assert np.mean(reading.outline == [picture_reading.OUTLINES.index(one.outline) for one in factors]) >= 0.98


def test_noise_in_a_fill_is_no_texture(factors):
    plain = pictures([replace(one, texture="plain", outline="none") for one in factors[:20]])
    noisy = plain + np.random.default_rng(0).normal(0, 0.15, plain.shape)
    assert np.mean(picture_reading.read(noisy).texture == 0) >= 0.9


def test_an_empty_picture_has_no_shape():
    reading = picture_reading.read(np.full((1, 32, 32, 3), 0.2))
    assert reading.radius == 0 and reading.fit == 0 and np.isnan(reading.hue)


def test_distances_and_spread_of_hues():
    assert picture_reading.hue_distance(0.95, 0.05) == pytest.approx(36)
    assert picture_reading.hue_spread(np.arange(360) / 360) == pytest.approx(90, abs=0.5)
    assert picture_reading.hue_spread(np.full(5, 0.4)) == 0
    assert picture_reading.hue_spread(np.array([0.0, 0.5, np.nan])) == pytest.approx(180)
