import dataclasses

import numpy as np
import pytest
from PIL import Image

from stargan_tf.config import DataConfig
from stargan_tf.data import augment
from stargan_tf.data.augment import View
from stargan_tf.data.schedule import random_words

SIZE = (200, 300)
ALWAYS = DataConfig(crop_probability=1.0, flip_probability=0.0)
NEVER = DataConfig(crop_probability=0.0, flip_probability=0.0)


def views(config, count=2000, seed=0):
    """Views, an array for each of their parts."""
    words = random_words(count * augment.WORDS_PER_IMAGE, seed).reshape(count, -1)
    return map(np.array, zip(*augment.random_views(words, SIZE, config), strict=True))


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def show(pixels, view):
    output = np.full_like(pixels, 77)
    augment.show(pixels, view, output)
    return output


@pytest.mark.parametrize("size", [(16, 24), (32, 32), (100, 255)])
def test_without_crop_and_flip_the_pixels_are_those_stored(size):
    pixels = noise(*size)
    np.testing.assert_array_equal(show(pixels, View(0, 0, *size, False)), pixels)


def test_a_flip_mirrors_exactly():
    pixels = noise(16, 24)
    np.testing.assert_array_equal(show(pixels, View(0, 0, 16, 24, True)), pixels[:, ::-1])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("box", [(0, 0, 32, 43), (3, 5, 29, 40), (1, 0, 31, 48)])
def test_a_crop_has_the_pixels_of_pillow_to_one_of_255(box, mirrored):
    """Both round to 8 bits, by coefficients of different precision."""
    pixels = noise(32, 48)
    top, left, height, width = box
    crop = Image.fromarray(pixels).crop((left, top, left + width, top + height))
    expected = crop.resize((48, 32), Image.Resampling.BILINEAR)
    if mirrored:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    difference = np.abs(show(pixels, View(*box, mirrored)).astype(int) - np.asarray(expected))
    assert difference.max() <= 1
    assert difference.mean() < 0.3


def test_crops_have_the_area_and_the_ratio_asked_for():
    top, left, height, width, _ = views(ALWAYS)
    area, ratio = height * width / (SIZE[0] * SIZE[1]), width / height / (SIZE[1] / SIZE[0])
    rounding = 1 / SIZE[0]
    assert area.min() >= 0.8 - rounding and area.max() <= 1
    assert ratio.min() >= 0.9 - rounding and ratio.max() <= 1.1 + rounding
    # Near the ends too, and everywhere in the image.
    assert area.min() < 0.81 and ratio.min() < 0.91 and ratio.max() > 1.09
    assert np.mean(area) == pytest.approx(0.885, abs=0.015)  # Below 0.9: a large crop of another ratio does not fit.
    assert np.mean(np.log(ratio)) == pytest.approx(0, abs=0.01)
    for start, side, whole in ((top, height, SIZE[0]), (left, width, SIZE[1])):
        assert start.min() == 0 and (start + side).max() == whole
        assert np.mean(2 * start + side) == pytest.approx(whole, abs=0.01 * whole)
        assert start.max() > 0.1 * whole


def test_probabilities():
    _, _, height, _, mirrored = views(DataConfig(crop_probability=0.3, flip_probability=0.6))
    whole = height == SIZE[0]
    assert np.mean(whole) == pytest.approx(0.7, abs=0.04)
    assert np.mean(mirrored) == pytest.approx(0.6, abs=0.04)
    assert np.mean(mirrored[whole]) == pytest.approx(0.6, abs=0.04)  # Independent of the crop.


def test_an_impossible_crop_leaves_the_image_whole():
    config = dataclasses.replace(ALWAYS, crop_area=(0.99, 1.0), crop_ratio=(1.5, 2.0))
    top, left, height, width, _ = views(config, 10)
    assert (top == 0).all() and (left == 0).all()
    assert (height == SIZE[0]).all() and (width == SIZE[1]).all()


def test_a_view_depends_on_the_words_of_its_image_only():
    words = random_words(8 * augment.WORDS_PER_IMAGE, 0).reshape(8, -1)
    whole, part = (augment.random_views(some, SIZE, DataConfig()) for some in (words, words[3:5]))
    assert whole[3:5] == part and len(whole) == 8
