"""The kernel distance is that of sums written out, unbiased, and repeatable."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.kernel import kernel_distance


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return rng.standard_normal((120, 10), np.float32), rng.standard_normal((90, 10), np.float32) + 0.3


def discrepancy(x, y):
    """By scikit-learn's kernel, whose default gamma is 1 / D."""
    xx, yy, xy = (polynomial_kernel(*pair, degree=3, coef0=1) for pair in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


def test_one_subset_of_everything(sets):
    distance, deviation = kernel_distance(sets[0][:90], sets[1], subsets=1, subset_size=90)
    assert distance == pytest.approx(discrepancy(sets[0][:90].astype(np.float64), sets[1].astype(np.float64)))
    assert deviation == 0


def test_subsets(sets):
    """The draws are those of NumPy's generator; each of the two sets has its turn in every subset."""
    rng, distances = np.random.default_rng(5), []
    for _ in range(20):
        x, y = (features[rng.choice(len(features), 40, replace=False)].astype(np.float64) for features in sets)
        distances.append(discrepancy(x, y))
    expected = (np.mean(distances), np.std(distances))
    assert kernel_distance(*sets, seed=5, subsets=20, subset_size=40) == pytest.approx(expected)
    assert expected[1] > 0


def test_it_is_unbiased():
    """Of two sets of the same distribution, values scatter around 0, however few the samples."""
    rng = np.random.default_rng(1)
    values = [kernel_distance(*rng.standard_normal((2, 12, 4)), subsets=1, subset_size=12)[0] for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / 20
    assert min(values) < 0 < max(values)


def test_the_seed_decides(sets):
    assert kernel_distance(*sets, seed=1) == kernel_distance(*sets, seed=1) != kernel_distance(*sets, seed=2)


def test_what_cannot_be_measured_is_refused(sets):
    with pytest.raises(UserError, match="subsets of 91 images needs as many, and there are 90"):
        kernel_distance(*sets, subset_size=91)
    with pytest.raises(UserError, match="subsets of 2 images needs as many, and there are 1"):
        kernel_distance(sets[0], sets[1][:1])
    with pytest.raises(UserError, match="not finite"):
        kernel_distance(sets[0], np.full_like(sets[1], np.inf))
