import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.losses.differentiable_augmentation import augment

ALL = ("color", "translation", "cutout")


def noise(count=4, height=16, width=24):
    return tf.random.stateless_uniform([count, height, width, 3], [1, 2], -1, 1)


def apply(images, *kinds, seed=(0, 0)):
    return augment(tf.constant(images), kinds, tf.constant(seed, tf.int64)).numpy()


def test_without_kinds_nothing_changes():
    np.testing.assert_array_equal(apply(noise()), noise())


@pytest.mark.parametrize("kind", ALL)
def test_choices_follow_from_the_seed_and_differ_between_images(kind):
    images = np.tile(noise(1), (8, 1, 1, 1))
    seen = apply(images, kind)
    np.testing.assert_array_equal(seen, apply(images, kind))
    assert not np.array_equal(seen, apply(images, kind, seed=(0, 1)))
    assert len({image.tobytes() for image in seen}) > 4


def test_a_kind_chooses_the_same_beside_others():
    images = np.ones((50, 16, 16, 3), np.float32)
    hole = apply(images, "cutout") == 0
    np.testing.assert_array_equal(apply(images, "color", "cutout") == 0, hole)


def test_colors_are_changed_as_the_paper_says():
    """A grey image has its brightness only; of two grey halves the difference is multiplied by contrast alone."""
    bright = apply(np.zeros((2000, 2, 2, 3), np.float32), "color")[:, 0, 0]
    np.testing.assert_allclose(bright, bright[:, :1] * [[1, 1, 1]], atol=1e-6)
    assert bright.min() == pytest.approx(-0.5, abs=0.01) and bright.max() == pytest.approx(0.5, abs=0.01)
    halves = np.zeros((2000, 2, 2, 3), np.float32)
    halves[:, 1] = 0.25
    seen = apply(halves, "color")
    contrast = (seen[:, 1, 0, 0] - seen[:, 0, 0, 0]) / 0.25
    assert contrast.min() == pytest.approx(0.5, abs=0.01) and contrast.max() == pytest.approx(1.5, abs=0.01)
    red = np.zeros((2000, 2, 2, 3), np.float32)
    red[..., 0] = 0.25
    seen = apply(red, "color")
    saturation = (seen[:, 0, 0, 0] - seen[:, 0, 0, 1]) / 0.25 / contrast  # Contrast multiplies this too.
    assert saturation.min() == pytest.approx(0, abs=0.01) and saturation.max() == pytest.approx(2, abs=0.02)
    assert np.mean(saturation) == pytest.approx(1, abs=0.05)


def test_translations_are_whole_pixels_with_zeros_coming_in():
    height, width = 16, 24
    images = np.tile(noise(1, height, width), (400, 1, 1, 1))
    padded = np.pad(images[0], ((2, 2), (3, 3), (0, 0)))
    possible = {padded[y : y + height, x : x + width].tobytes(): (y, x) for y in range(5) for x in range(7)}
    found = {possible[image.tobytes()] for image in apply(images, "translation") + 0.0}
    assert len(found) == 35


def test_a_cutout_is_a_hole_of_half_the_sides_anywhere():
    hole = apply(np.ones((2000, 16, 24, 3), np.float32), "cutout") == 0
    np.testing.assert_array_equal(hole, hole[..., :1] & [True] * 3)
    rows, columns = hole.any(axis=(2, 3)), hole.any(axis=(1, 3))
    np.testing.assert_array_equal(hole[..., 0], rows[:, :, None] & columns[:, None])
    assert rows.sum(axis=1).max() == 8 and columns.sum(axis=1).max() == 12
    assert rows.any(axis=0).all() and columns.any(axis=0).all()
    assert rows.mean(axis=0)[8] == pytest.approx(0.5, abs=0.05)  # The centre is hidden in half of the images.


def test_gradients_reach_the_images_twice():
    """What is moved out or cut out has none; R1 needs the second derivative."""
    images = noise(2)
    seed = tf.constant([3, 4])
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            seen = augment(images, ALL, seed)
            total = tf.reduce_sum(seen**3)
        first = inner.gradient(total, images)
        norm = tf.reduce_sum(first**2)
    second = outer.gradient(norm, images)
    assert np.count_nonzero(first) > 0.4 * np.size(first)
    assert np.isfinite(second).all() and np.count_nonzero(second) > 0.4 * np.size(second)
    # Central difference, in one direction.
    direction = noise(2) * 1e-2
    values = [float(tf.reduce_sum(augment(images + sign * direction, ALL, seed) ** 3)) for sign in (1, -1)]
    assert float(tf.reduce_sum(first * direction)) == pytest.approx((values[0] - values[1]) / 2, rel=2e-2)
