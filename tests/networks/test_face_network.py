import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks.face_masks import _enlarge, find_masks, masks_from_heatmaps
from stargan_tf.networks.face_network import FaceNetwork, landmarks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return FaceNetwork()


def bumps(rows: np.ndarray, columns: np.ndarray, side: int = 64) -> np.ndarray:
    """Heatmaps [1, side, side, N] with a Gaussian peak at each cell."""
    cells = np.arange(side)
    y, x = (np.exp(-((cells[:, None] - centres) ** 2) / 4.5) for centres in (rows, columns))
    return (y[:, None, :] * x[None, :, :])[None].astype(np.float32)


def test_heatmaps_of_any_square_image(network):
    images = tf.random.stateless_uniform((2, 64, 64, 3), (0, 0), -1, 1)
    heatmaps = network(images)
    assert heatmaps.shape == (2, 64, 64, 99) and heatmaps.dtype == tf.float32
    enlarged = network(tf.image.resize(images, (256, 256)))
    np.testing.assert_allclose(heatmaps, enlarged, rtol=1e-4, atol=1e-4)


def test_bfloat16_computes_nearly_the_same(network):
    half = FaceNetwork(dtype="mixed_bfloat16")
    half.set_weights(network.get_weights())
    images = tf.random.stateless_uniform((1, 256, 256, 3), (0, 1), -1, 1)
    heatmaps, expected = half(images), network(images)
    assert heatmaps.dtype == tf.float32
    error = np.linalg.norm(heatmaps - expected) / np.linalg.norm(expected)
    assert 1e-4 < error < 0.05  # another arithmetic, the same function
    masks = find_masks(half, images)
    assert [mask.dtype for mask in masks] == [tf.float32] * 2


def test_it_is_never_trained(network):
    assert network.trainable_variables == []
    images = tf.random.stateless_uniform((1, 256, 256, 3), (0, 2), -1, 1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.add_n([tf.reduce_sum(mask) for mask in find_masks(network, images)])
    assert tape.gradient(total, images) is None


def test_landmarks_to_a_quarter_of_a_cell():
    rows, columns = np.full(98, 20.0), np.linspace(5, 55, 98)
    rows[1], columns[2] = 0, 63  # at the border there is no neighbour on one side
    found = landmarks(tf.constant(bumps(rows, columns)))[0].numpy()
    # A quarter of a cell is one pixel; without the step toward the neighbour it would be up to two.
    inside = np.delete(np.arange(98), [1, 2])
    np.testing.assert_allclose(found[inside, 0], 4 * (columns[inside] + 0.5), atol=1.01)
    assert found[1, 1] == 2.0 and found[2, 0] == 254.0
    assert np.abs(found[inside, 0] - 4 * (np.round(columns[inside]) + 0.5)).max() == 1.0


def test_enlarging_keeps_the_corners_and_interpolates():
    x = np.random.default_rng(0).standard_normal((1, 5, 7, 2)).astype(np.float32)
    enlarged = _enlarge(tf.constant(x), 4).numpy()
    assert enlarged.shape == (1, 20, 28, 2)
    np.testing.assert_allclose(enlarged[:, :: 20 - 1, :: 28 - 1], x[:, :: 5 - 1, :: 7 - 1], atol=1e-6)
    ramp = np.broadcast_to(np.arange(7.0)[None, None, :, None], (1, 5, 7, 1))
    np.testing.assert_allclose(_enlarge(tf.constant(ramp), 4)[0, 3, :, 0], np.linspace(0, 6, 28), atol=1e-6)


def test_masks_show_parts_at_their_places():
    """One landmark at a time: an eye is in both masks, 8 and 24 px lower; the chin only in the first, in place."""

    def masks_of(landmark):
        heatmaps = np.zeros((1, 256, 256, 98), np.float32)
        heatmaps[..., landmark] = bumps(np.array([100.0]), np.array([70.0]), 256)[..., 0]
        return [mask[0, :, :, 0] for mask in np.asarray(masks_from_heatmaps(tf.constant(heatmaps), scale=1))]

    first, second = masks_of(64)
    assert first[108, 70] > 0.99 and first[124, 70] > 0.99 and first[92, 70] == 0
    np.testing.assert_array_equal(first, second)
    first, second = masks_of(16)
    assert first[100, 70] > 0.99 and second.max() == 0
    first, second = masks_of(3)
    assert first.max() == second.max() == 0


def test_masks_stay_in_range_and_nan_becomes_zero():
    heatmaps = np.random.default_rng(0).normal(0.5, 1.0, (2, 64, 64, 98)).astype(np.float32)
    heatmaps[1, 3, 3, 62] = np.nan
    for mask in masks_from_heatmaps(tf.constant(heatmaps), scale=4):
        assert mask.shape == (2, 256, 256, 1)
        assert np.min(mask) >= 0 and np.max(mask) <= 1
