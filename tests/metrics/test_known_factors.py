"""The measures are right on pictures made to be perfect, and on pictures made to be wrong in a known way."""

from dataclasses import replace

import numpy as np
import pytest

from stargan_tf.data.records import open_data_directory
from stargan_tf.evaluation.results import MEASURES
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import known_factors
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES
from stargan_tf.metrics.picture_reading import OUTLINES, TEXTURES, read
from tests.metrics.generated_pictures import pictures

pytestmark = pytest.mark.slow


def style(factors) -> dict[str, np.ndarray]:
    return {
        "hue": np.array([one.hue for one in factors]),
        "texture": np.array([TEXTURES.index(one.texture) for one in factors]),
        "outline": np.array([OUTLINES.index(one.outline) for one in factors]),
    }


def test_a_perfect_translation_measures_as_perfect(factors):
    target = [replace(one, domain="triangle", hue=0.3, texture="checks", outline="dark") for one in factors]
    result = known_factors.measure(read(pictures(factors)), read(pictures(target)), 2, style(target))
    assert result["domain"].all()
    assert np.median(result["place"]) < 0.015 and np.median(result["size"]) < 0.08 and np.median(result["hue"]) < 2
    assert result["texture"].mean() > 0.95 and result["outline"].mean() > 0.95


def test_what_is_wrong_is_measured(factors):
    centred = [replace(one, x=0.45, y=0.55, radius=0.2) for one in factors[:40]]  # circles
    before = read(pictures(centred))
    moved = read(pictures([replace(one, x=one.x + 0.1) for one in centred]))
    assert np.median(known_factors.measure(before, moved, 0)["place"]) == pytest.approx(0.1, abs=0.01)
    larger = read(pictures([replace(one, radius=0.25) for one in centred]))
    assert np.median(known_factors.measure(before, larger, 0)["size"]) == pytest.approx(0.25, abs=0.05)
    squares = read(pictures([replace(one, domain="square") for one in centred[:10]] + centred[10:]))
    assert known_factors.measure(before, squares, 0)["domain"].mean() == pytest.approx(0.75)

    asked = style([replace(one, hue=one.hue + 0.25, texture="stripes", outline="light") for one in centred])
    result = known_factors.measure(before, before, 0, asked)
    assert np.median(result["hue"]) == pytest.approx(90, abs=2)
    assert result["texture"].mean() == pytest.approx(np.mean([one.texture == "stripes" for one in centred]), abs=0.06)
    assert result["outline"].mean() == pytest.approx(np.mean([one.outline == "light" for one in centred]), abs=0.06)
    grey = read(np.zeros((40, 32, 32, 3)))
    assert (known_factors.measure(before, grey, 0, asked)["hue"] == 180).all()


def test_coverage_is_the_share_of_real_hues_that_are_drawn_too():
    real = np.arange(36) / 36
    assert known_factors.coverage(real, real) == 1
    assert known_factors.coverage(real, np.array([0.5, np.nan])) == pytest.approx(3 / 36)
    assert known_factors.coverage(real, np.full(5, np.nan)) == 0


@pytest.fixture(scope="module")
def result(trained_run, data_path):
    """What is measured of networks that learnt nothing."""
    return known_factors.evaluate(Translator.from_run(trained_run), open_data_directory(data_path), 3, 2, seed=0)


def test_networks_that_learnt_nothing_measure_as_such(result):
    assert result["real"]["domain"] > 0.8  # 16 px pictures are small
    for guide in ("latent", "reference"):
        assert 0 <= result[guide]["worst_domain"] <= result[guide]["domain"] < 0.9
        assert result[guide]["cycle"] > 10
    assert (
        result["latent"]["hue_coverage"] < 0.9
        and result["latent"]["worst_hue_spread"] <= result["latent"]["hue_spread"]
    )


def test_whether_data_has_known_factors(data_path):
    assert known_factors.has_known_factors(open_data_directory(data_path))


def test_every_measure_has_a_title_and_none_is_named_like_one_of_the_protocol(result):
    assert {measure for guide in result.values() for measure in guide} == set(FACTOR_MEASURES)
    assert not set(FACTOR_MEASURES) & set(MEASURES)
