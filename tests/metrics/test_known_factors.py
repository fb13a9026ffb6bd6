"""The reading is right on pictures whose factors are known, and the measures on pictures made to be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from data_prep import synthetic
from stargan_tf.data.images import to_array
from stargan_tf.metrics import known_factors


def pictures(factors) -> np.ndarray:
    return np.stack([to_array(synthetic.draw(one, 32)) for one in factors])


@pytest.fixture(scope="module")
def factors():
    rng = np.random.default_rng(7)
    return [synthetic.random_factors(domain, rng) for domain in synthetic.DOMAINS for _ in range(40)]


def test_the_shapes_are_those_of_the_generated_data():
    assert known_factors.SHAPES == synthetic.DOMAINS


def test_real_pictures_are_read_right(factors):
    reading = known_factors.read(pictures(factors))
    shapes = [known_factors.SHAPES.index(one.domain) for one in factors]
    np.testing.assert_array_equal(reading.shape, shapes)
    off = np.hypot(reading.x - [one.x for one in factors], reading.y - [one.y for one in factors])
    assert off.max() < 0.02
    assert np.abs(reading.radius / [one.radius for one in factors] - 1).max() < 0.15
    assert known_factors.hue_distance(reading.hue, [one.hue for one in factors]).max() < 3
    assert reading.fit.min() > 0.85


def test_an_empty_picture_has_no_shape():
    reading = known_factors.read(np.full((1, 32, 32, 3), 0.2))
    assert reading.radius == 0 and reading.fit == 0 and np.isnan(reading.hue)


def test_a_perfect_translation_measures_as_perfect(factors):
    target = [replace(one, domain="triangle", hue=0.3) for one in factors]
    result = known_factors.measure(pictures(factors), pictures(target), np.full(len(factors), 2), np.full(120, 0.3))
    assert result["domain"] == 1
    assert result["place"] < 0.015 and result["size"] < 0.08 and result["hue"] < 2


def test_what_is_wrong_is_measured(factors):
    centred = [replace(one, x=0.45, y=0.55, radius=0.2) for one in factors[:40]]  # circles
    sources, shapes = pictures(centred), np.zeros(40, int)
    moved = pictures([replace(one, x=one.x + 0.1) for one in centred])
    assert known_factors.measure(sources, moved, shapes)["place"] == pytest.approx(0.1, abs=0.01)
    larger = pictures([replace(one, radius=0.25) for one in centred])
    assert known_factors.measure(sources, larger, shapes)["size"] == pytest.approx(0.25, abs=0.05)
    squares = pictures([replace(one, domain="square") for one in centred[:10]] + centred[10:])
    assert known_factors.measure(sources, squares, shapes)["domain"] == pytest.approx(0.75)
    hues = np.array([one.hue for one in centred])
    assert known_factors.measure(sources, sources, shapes, hues + 0.25)["hue"] == pytest.approx(90, abs=2)
    grey = np.full_like(sources, 0.0)
    assert known_factors.measure(sources, grey, shapes, hues)["hue"] == 180


def test_distances_and_spread_of_hues():
    assert known_factors.hue_distance(0.95, 0.05) == pytest.approx(36)
    assert known_factors.hue_spread(np.arange(360) / 360) == pytest.approx(90, abs=0.5)
    assert known_factors.hue_spread(np.full(5, 0.4)) == 0
    assert known_factors.hue_spread(np.array([0.0, 0.5, np.nan])) == pytest.approx(180)
