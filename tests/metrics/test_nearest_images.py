import numpy as np
import pytest
from scipy.spatial.distance import cdist

from stargan_tf.metrics.nearest_images import nearest


@pytest.mark.parametrize("count", [5, 300])  # one block, and two
def test_the_nearest_and_its_distance(count):
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, 6, 4, 3), np.uint8)
    others = rng.integers(0, 256, (40, 6, 4, 3), np.uint8)
    images[3] = others[7]
    expected = cdist(images.reshape(count, -1).astype(float), others.reshape(40, -1).astype(float)) / np.sqrt(72)
    found, distance = nearest(images, others)
    np.testing.assert_array_equal(found, expected.argmin(axis=1))
    np.testing.assert_allclose(distance, expected.min(axis=1), rtol=1e-5)
    assert found[3] == 7 and distance[3] == 0
