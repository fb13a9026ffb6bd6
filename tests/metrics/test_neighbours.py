"""Precision, recall, density and coverage are those of scikit-learn's neighbours, and right where they are known."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from stargan_tf.base.errors import UserError
from stargan_tf.metrics import pairwise_distances as blocks
from stargan_tf.metrics.neighbours import density_coverage, precision_recall, radii


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return rng.standard_normal((300, 8), np.float32) + 5, 0.8 * rng.standard_normal((250, 8), np.float32) + 5.3


@pytest.fixture(params=[1024, 64], ids=["one block", "many blocks"])
def block(request, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", request.param)


def radius(points, k):
    """By scikit-learn: the first neighbour of a point is itself."""
    return NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points).kneighbors(points)[0][:, k]


def pairs(a, b):
    return np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=-1)


@pytest.mark.parametrize("k", [1, 3, 70])
def test_radii(sets, k, block):
    np.testing.assert_allclose(np.sqrt(radii(sets[0], k)), radius(sets[0], k), rtol=1e-4)


def test_precision_and_recall(sets, block):
    real, generated = sets
    inside_real = pairs(generated, real) <= radius(real, 3)
    inside_generated = pairs(real, generated) <= radius(generated, 3)
    expected = {"precision": inside_real.any(axis=1).mean(), "recall": inside_generated.any(axis=1).mean()}
    assert precision_recall(real, generated) == pytest.approx(expected, abs=0)
    assert 0.05 < expected["recall"] < expected["precision"] < 0.999


def test_density_and_coverage(sets, block):
    real, generated = sets
    inside = pairs(generated, real) <= radius(real, 5)
    nearest = NearestNeighbors(n_neighbors=1).fit(generated).kneighbors(real)[0][:, 0]
    expected = {"density": inside.sum() / (5 * len(generated)), "coverage": (nearest <= radius(real, 5)).mean()}
    assert density_coverage(real, generated) == pytest.approx(expected, rel=1e-12)


def test_the_same_images_are_perfect(sets):
    assert precision_recall(sets[0], sets[0]) == {"precision": 1, "recall": 1}
    assert density_coverage(sets[0], sets[0])["coverage"] == 1


def test_other_images_are_not(sets):
    assert precision_recall(sets[0], sets[0] + 100) == {"precision": 0, "recall": 0}
    assert density_coverage(sets[0], sets[0] + 100) == {"density": 0, "coverage": 0}


def test_one_mode_of_two():
    """Real images are of two kinds and generated ones of one: all look real, half of the variety is there."""
    rng = np.random.default_rng(1)
    real = np.concatenate([rng.standard_normal((400, 2)), rng.standard_normal((400, 2)) + 50])
    generated = rng.standard_normal((400, 2))
    found = precision_recall(real, generated) | density_coverage(real, generated)
    assert found["precision"] > 0.95 and found["recall"] == pytest.approx(0.5, abs=0.03)
    assert found["density"] == pytest.approx(1, abs=0.1) and found["coverage"] == pytest.approx(0.5, abs=0.03)


def test_too_few_or_broken_images_are_refused(sets):
    with pytest.raises(UserError, match=r"at least 4 .* there are 3"):
        precision_recall(sets[0], sets[1][:3])
    with pytest.raises(UserError, match=r"at least 6 .* there are 5"):
        density_coverage(sets[0][:5], sets[1])
    with pytest.raises(UserError, match=r"at least 1 generated"):
        density_coverage(sets[0], sets[1][:0])
    with pytest.raises(UserError, match="not finite"):
        precision_recall(sets[0], np.full_like(sets[1], np.nan))
