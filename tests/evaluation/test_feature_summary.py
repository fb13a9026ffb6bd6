import numpy as np

from stargan_tf.evaluation.feature_summary import FeatureSummary
from tests.evaluation.measures import RandomFeatures

FEATURES = np.random.default_rng(1).normal(size=(100, 5)).astype(np.float32)


def summary(parts, limit, seed=(0,)):
    made = FeatureSummary(RandomFeatures(), 100, limit, seed)
    for part in np.split(FEATURES, parts):
        made.add(part)
    return made


def test_the_sample_does_not_depend_on_the_parts():
    whole = summary([], limit=20)
    np.testing.assert_array_equal(summary([1, 50, 51], limit=20).sample, whole.sample)
    rows = [np.flatnonzero((row == FEATURES).all(axis=1)).item() for row in whole.sample]
    assert len(set(rows)) == 20 and rows == sorted(rows)
    assert not np.array_equal(summary([], limit=20, seed=(1,)).sample, whole.sample)
    np.testing.assert_array_equal(summary([7], limit=100).sample, FEATURES)
    np.testing.assert_array_equal(summary([7], limit=1000).sample, FEATURES)


def test_moments_are_of_all():
    made = summary([10, 90], limit=20)
    np.testing.assert_allclose(made.moments.mean, FEATURES.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(made.moments.covariance, np.cov(FEATURES.T), atol=1e-6)


def test_one_that_was_kept_goes_on_to_the_bit(tmp_path):
    half = FeatureSummary(RandomFeatures(), 100, 20, (0,))
    half.add(FEATURES[:30])
    np.savez(tmp_path / "state.npz", **half.to_arrays())
    with np.load(tmp_path / "state.npz") as arrays:
        restored = FeatureSummary.from_arrays(dict(arrays))
    for made in (half, restored):
        made.add(FEATURES[30:])
    for one, other in zip(half.to_arrays().values(), restored.to_arrays().values(), strict=True):
        assert one.tobytes() == other.tobytes()
