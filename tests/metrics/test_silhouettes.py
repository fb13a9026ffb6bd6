"""Silhouettes of objects whose outline is known, with shadows, spots and uneven ground."""

import cv2
import numpy as np
import pytest

from stargan_tf.metrics import silhouettes

SIDE = 64
GREEN, GROUND, BROWN, SHADOW = (70, 120, 50), (128, 124, 134), (90, 60, 40), (30, 28, 33)


def leaf(rng, with_shadow=True, ground=GROUND):
    """Draws a green ellipse with brown spots and its shadow on rough ground; returns it and its silhouette."""
    image = np.full((SIDE, SIDE, 3), ground, np.float32)
    centre = tuple(int(value) for value in rng.integers(26, 38, 2))
    axes = tuple(int(value) for value in rng.integers(12, 20, 2))
    angle = float(rng.uniform(0, 180))
    if with_shadow:
        cv2.ellipse(image, (centre[0] + 5, centre[1] + 4), axes, angle, 0, 360, SHADOW, -1)
    silhouette = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(silhouette, centre, axes, angle, 0, 360, 1, -1)
    image[silhouette == 1] = GREEN
    for _ in range(3):
        cv2.circle(image, (centre[0] + int(rng.integers(-6, 6)), centre[1] + int(rng.integers(-6, 6))), 2, BROWN, -1)
    image += rng.normal(0, 6, image.shape[:2])[..., None] + np.linspace(-15, 15, SIDE)[:, None, None]
    return np.uint8(np.clip(image, 0, 255)), silhouette == 1


@pytest.fixture(scope="module")
def leaves():
    rng = np.random.default_rng(0)
    images, known = zip(*(leaf(rng) for _ in range(20)), strict=True)
    return np.stack(images), np.stack(known)


def test_the_object_is_found_without_its_shadow_and_with_its_spots(leaves):
    images, known = leaves
    found, is_plain = silhouettes.find(images)
    assert silhouettes.overlap(found, known).min() > 0.85 and is_plain.all()
    assert found.dtype == bool and found.shape == (20, SIDE, SIDE)


def test_what_has_no_plain_ground_is_told():
    rng = np.random.default_rng(1)
    messy = np.uint8(rng.integers(0, 255, (6, 8, 8, 3)))
    messy = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in messy])
    uniform = np.full((2, SIDE, SIDE, 3), 77, np.uint8)
    assert not silhouettes.find(messy)[1].any()
    assert not silhouettes.find(uniform)[1].any()


def test_the_overlap_is_intersection_over_union():
    one, other = np.zeros((2, 3, 8, 8), bool)
    one[0, :4], other[0, 2:6] = True, True  # 2 of 6 rows
    one[1], other[1] = True, True
    np.testing.assert_allclose(silhouettes.overlap(one, other), [1 / 3, 1, 0])


def test_on_grey_nothing_of_the_ground_is_left(leaves):
    images, known = leaves
    shown = silhouettes.on_grey(images, silhouettes.find(images)[0])
    outside = ~cv2.dilate(known.astype(np.uint8).transpose(1, 2, 0), np.ones((3, 3))).astype(bool).transpose(2, 0, 1)
    assert (shown[outside] == silhouettes.GREY).mean() > 0.99
    assert (shown == images).all(axis=-1)[known].mean() > 0.7  # one pixel along the edge is left out


def test_the_ground_alone_has_nothing_of_the_object(leaves):
    images, _ = leaves
    found, _ = silhouettes.find(images)
    ground = silhouettes.ground_alone(images, found)
    green = ground[..., 1].astype(int) - ground[..., 2]
    assert ground.shape == images.shape and np.median(green) < 0 and (green > 40).mean() < 0.001
    repeated = silhouettes.ground_alone(images, found)
    np.testing.assert_array_equal(ground, repeated)
    everywhere = silhouettes.ground_alone(images[:1], np.ones_like(found[:1]))
    assert (everywhere == silhouettes.GREY).all()
