"""The Fréchet distance is that of analytic cases and of scipy's matrix root; moments are those of all samples."""

import io
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.linalg

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.frechet import FewSamplesWarning, Moments, frechet_distance

pytestmark = pytest.mark.filterwarnings("ignore::stargan_tf.metrics.frechet.FewSamplesWarning")


def moments_of(features, parts=1) -> Moments:
    moments = Moments("random", "0" * 12, features.shape[1])
    for part in np.array_split(features, parts):
        moments.add(part)
    return moments


def with_moments(mean, covariance, count=5000) -> Moments:
    """Moments that have exactly these values."""
    arrays = Moments("random", "0" * 12, len(mean)).to_arrays()
    scatter = np.asarray(covariance) * (count - 1)
    return Moments.from_arrays(arrays | {"count": np.array(count), "mean": np.asarray(mean), "scatter": scatter})


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((24, 24)) / 5
    return rng.standard_normal((500, 24)) @ mixing + 3, rng.standard_normal((400, 24)) @ mixing.T + 2.9


def test_moments_are_those_of_all_samples(features):
    moments = moments_of(features[0].astype(np.float32), parts=7)
    assert moments.count == 500
    np.testing.assert_allclose(moments.mean, features[0].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(moments.covariance, np.cov(features[0], rowvar=False), rtol=1e-4, atol=1e-6)


def test_no_digits_are_lost_far_from_zero(features):
    moments = moments_of(features[0] + 1e6, parts=20)
    np.testing.assert_allclose(moments.covariance, np.cov(features[0], rowvar=False), rtol=1e-6, atol=1e-8)


def test_parts_may_be_merged_in_any_order(features):
    whole, parts = moments_of(features[0]), [moments_of(part) for part in np.array_split(features[0], 3)]
    merged = moments_of(features[0][:0])
    for part in parts[::-1]:
        merged.merge(part)
    merged.merge(moments_of(features[0][:0]))
    assert merged.count == 500
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.covariance, whole.covariance, rtol=1e-10)


def test_the_state_survives_a_file_bit_by_bit(features):
    moments, file = moments_of(features[0][:200]), io.BytesIO()
    np.savez(file, **moments.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
        restored = Moments.from_arrays(arrays)
    for one in (moments, restored):
        one.add(features[0][200:])
    assert (restored.name, restored.hash, restored.count) == (moments.name, moments.hash, 500)
    np.testing.assert_array_equal(restored.mean, moments.mean)
    np.testing.assert_array_equal(restored.covariance, moments.covariance)


def test_memory_does_not_grow_with_the_number_of_images():
    peaks = []
    for batches in (5, 50):
        moments = Moments("random", "0" * 12, 64)
        tracemalloc.start()
        for _ in range(batches):
            moments.add(np.random.default_rng(0).standard_normal((100, 64)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_two_gaussians_of_known_distance():
    """Along common axes it is the sum of squared differences of means and of deviations."""
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    deviations_a, deviations_b = rng.uniform(0.1, 3, 16), rng.uniform(0.1, 3, 16)
    a = with_moments(np.zeros(16), axes * deviations_a**2 @ axes.T)
    b = with_moments(np.full(16, 0.25), axes * deviations_b**2 @ axes.T)
    expected = 16 * 0.25**2 + ((deviations_a - deviations_b) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_one_dimension_from_samples():
    rng = np.random.default_rng(2)
    a, b = moments_of(rng.normal(0, 1, (200_000, 1))), moments_of(rng.normal(2, 3, (200_000, 1)))
    assert frechet_distance(a, b) == pytest.approx(2**2 + (3 - 1) ** 2, rel=0.02)


def test_it_is_that_of_scipys_matrix_root(features):
    a, b = map(moments_of, features)
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance)
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root.real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-8)


def test_fewer_samples_than_dimensions():
    """By the samples X and Y themselves: the trace of (A^1/2 B A^1/2)^1/2 is the nuclear norm of X Y^T."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 10, 200)) * np.logspace(0, -6, 200)
    a, b = moments_of(x), moments_of(y)
    x, y = (x - x.mean(axis=0)) / 3, (y - y.mean(axis=0)) / 3
    nuclear = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    expected = ((a.mean - b.mean) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * nuclear
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-10 * np.trace(a.covariance))


def test_no_variety_at_all():
    constant = moments_of(np.full((5, 3), 2.0))
    assert frechet_distance(constant, constant) == 0
    spread = with_moments([2, 2, 2], np.diag([1.0, 4.0, 0.0]))
    assert frechet_distance(constant, spread) == pytest.approx(5)


def test_few_samples_are_warned_of(features):
    a, b = map(moments_of, features)
    with pytest.warns(FewSamplesWarning, match="from 400 images"):
        frechet_distance(a, b)
    many = with_moments(np.zeros(2), np.eye(2), count=2048)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet_distance(many, many)


def test_what_cannot_be_compared_is_refused(features):
    a = moments_of(features[0])
    other = Moments("random", "1" * 12, 24)
    other.add(features[1])
    for operation in (frechet_distance, Moments.merge):
        with pytest.raises(UserError, match=r"features of random \(0{12}\) cannot be compared .* random \(1{12}\)"):
            operation(a, other)
    with pytest.raises(UserError, match="at least 2 images, and there are 1"):
        frechet_distance(a, moments_of(features[0][:1]))
    with pytest.raises(UserError, match="not finite"):
        a.add(np.full((2, 24), np.nan))
    with pytest.raises(ValueError, match="shape"):
        a.add(np.zeros((2, 23)))
