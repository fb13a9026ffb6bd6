import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import DataConfig
from stargan_tf.data import augment
from stargan_tf.data.images import to_array, to_image

ALWAYS = DataConfig(crop_probability=1.0, flip_probability=0.0)
NEVER = DataConfig(crop_probability=0.0, flip_probability=0.0)


def boxes(config, count=2000, seed=(0, 0)):
    return augment.random_boxes(count, config, tf.constant(seed, tf.int64)).numpy()


def noise(count, height, width):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(16, 24), (32, 32), (100, 255), (256, 256)])
@pytest.mark.parametrize("graph", [False, True])
def test_without_crop_and_flip_the_pixels_are_those_stored(size, graph):
    images = noise(3, *size)
    read = tf.function(augment.read_boxes) if graph else augment.read_boxes
    result = read(tf.constant(images), tf.constant(boxes(NEVER, 3))).numpy()
    np.testing.assert_array_equal(result, augment.scale(images))
    for image, seen in zip(images, result, strict=True):
        np.testing.assert_allclose(seen, to_array(to_image(seen)), rtol=0, atol=2e-7)
        np.testing.assert_array_equal(np.asarray(to_image(seen)), image)


def test_a_flip_mirrors_exactly():
    images = noise(3, 16, 24)
    flip = dataclasses.replace(NEVER, flip_probability=1.0)
    result = augment.read_boxes(tf.constant(images), boxes(flip, 3)).numpy()
    np.testing.assert_array_equal(result, augment.scale(images[:, :, ::-1]))


def test_crops_have_the_area_and_the_ratio_asked_for():
    top, left, bottom, right = boxes(ALWAYS).T
    area, ratio = (bottom - top) * (right - left), (right - left) / (bottom - top)
    assert area.min() >= 0.8 - 1e-4 and area.max() <= 1
    assert ratio.min() >= 0.9 - 1e-4 and ratio.max() <= 1.1 + 1e-4
    # Near the ends too, and everywhere in the image.
    assert area.min() < 0.81 and ratio.min() < 0.91 and ratio.max() > 1.09
    assert np.mean(area) == pytest.approx(0.885, abs=0.015)  # Below 0.9: a large crop of another ratio does not fit.
    assert np.mean(np.log(ratio)) == pytest.approx(0, abs=0.01)
    assert np.mean(left + right) == pytest.approx(1, abs=0.01)
    assert np.mean(top + bottom) == pytest.approx(1, abs=0.01)
    assert left.max() > 0.1 and top.max() > 0.1


@pytest.mark.parametrize("size", [(16, 16), (37, 101), (256, 256)])
def test_a_crop_never_looks_beyond_the_edge(size):
    """Beyond is black, so that a white image shows it; rounding errors reach there from a box that ends at 1."""
    near_all = DataConfig(crop_probability=1.0, flip_probability=0.0, crop_area=(0.999999, 1.0), crop_ratio=(1.0, 1.0))
    furthest = boxes(near_all).max()
    assert furthest > 0.9999
    start = np.random.default_rng(0).uniform(0, 0.1, (200, 1)).astype(np.float32)
    touching = np.concatenate([start, start, np.full((200, 2), furthest, np.float32)], axis=1)
    white = tf.fill((200, *size, 3), tf.constant(255, tf.uint8))
    assert augment.read_boxes(white, touching).numpy().min() > 0.9999


def test_a_crop_shows_what_is_inside_the_box():
    ramp = np.broadcast_to(np.arange(101, dtype=np.uint8)[None, None, :, None], (1, 11, 101, 3))
    seen = augment.read_boxes(tf.constant(ramp), [[0.0, 0.2, 1.0, 0.7]]).numpy()
    np.testing.assert_allclose(seen[0, 5, :, 0], np.linspace(20, 70, 101) / 127.5 - 1, atol=1e-5)


def test_probabilities():
    config = DataConfig(crop_probability=0.3, flip_probability=0.6)
    top, left, bottom, right = boxes(config).T
    whole = (top == 0) & (bottom == 1)
    assert np.mean(whole) == pytest.approx(0.7, abs=0.04)
    flipped = left > right
    assert np.mean(flipped) == pytest.approx(0.6, abs=0.04)
    assert np.mean(flipped[whole]) == pytest.approx(0.6, abs=0.04)  # Independent of the crop.


def test_an_impossible_crop_leaves_the_image_whole():
    config = dataclasses.replace(ALWAYS, crop_area=(0.99, 1.0), crop_ratio=(1.5, 2.0))
    np.testing.assert_array_equal(boxes(config, 10), [[0, 0, 1, 1]] * 10)


def test_boxes_follow_from_the_seed():
    config = DataConfig()
    np.testing.assert_array_equal(boxes(config, seed=(1, 2)), boxes(config, seed=(1, 2)))
    assert (boxes(config, seed=(1, 2)) != boxes(config, seed=(1, 3))).any(axis=1).mean() > 0.5
    assert (boxes(config, seed=(1, 2)) != boxes(config, seed=(2, 2))).any(axis=1).mean() > 0.5
