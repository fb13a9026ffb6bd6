"""The judge learns what domains look like; the autoencoder learns to draw; both are kept and found again."""

from dataclasses import replace

import numpy as np
import pytest

from stargan_tf.metrics import judge, silhouettes, unlabelled
from stargan_tf.metrics.block_features import BlockFeatures
from stargan_tf.metrics.classifier import Settings
from tests.metrics.test_silhouettes import leaf

pytestmark = pytest.mark.slow

SETTINGS = Settings(widths=(8, 16), steps=40, rows=6, learning_rate=1e-2)


def leaves(count, seed):
    """Of two domains that only the ground tells apart: 'grey' and 'blue'."""
    rng = np.random.default_rng(seed)
    grounds = {"grey": (128, 124, 134), "blue": (110, 118, 146)}
    return {name: np.stack([leaf(rng, ground=ground)[0] for _ in range(count)]) for name, ground in grounds.items()}


def test_a_ground_that_gives_the_domain_away_is_seen_and_the_judge_cannot_use_it():
    train, val = leaves(30, 0), leaves(20, 1)
    seen = {}
    for view in (silhouettes.on_grey, silhouettes.ground_alone):
        shown, shown_val = (
            {name: view(images, silhouettes.find(images)[0]) for name, images in of.items()} for of in (train, val)
        )
        accuracies = judge.train(shown, SETTINGS).accuracies(shown_val)
        assert list(accuracies) == ["grey", "blue"]
        seen[view.__name__] = np.mean(list(accuracies.values()))
    assert seen["ground_alone"] > 0.95 and seen["on_grey"] < 0.75


def test_networks_are_kept_by_data_and_settings(tmp_path):
    train = leaves(10, 2)
    settings = replace(SETTINGS, steps=3)
    one = judge.load_or_train(train, "a" * 64, tmp_path, "judge", settings)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    again = judge.load_or_train(train, "a" * 64, tmp_path, "judge", settings)
    assert again.hash == one.hash == judge.train(train, settings).hash
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == before
    judge.load_or_train(train, "b" * 64, tmp_path, "judge", settings)
    judge.load_or_train(train, "a" * 64, tmp_path, "judge", replace(settings, seed=1))
    assert len(list(tmp_path.iterdir())) == 3
    probabilities = one.probabilities(train["grey"])
    assert probabilities.shape == (10, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_the_autoencoder_learns_to_draw_images_of_any_size(tmp_path):
    train = {name: images[:, :44, :60] for name, images in leaves(20, 3).items()}  # no multiples of 8
    settings = unlabelled.Settings(widths=(8, 12, 16), code=16, steps=60, batch=16, learning_rate=5e-3)
    network, hash = unlabelled.load_or_train(train, "a" * 64, tmp_path, settings)
    images = np.float32(train["grey"][:4] / 127.5 - 1)
    drawn, blocks = network(images)
    assert drawn.shape == images.shape and [block.shape[-1] for block in blocks] == [8, 12, 16, 16]
    plain = np.abs(images - images.mean()).mean()
    assert np.abs(drawn - images).mean() < 0.6 * plain
    features = BlockFeatures("autoencoder", hash, network)
    assert features(images).shape == (4, 52)
    assert unlabelled.load_or_train(train, "a" * 64, tmp_path, settings)[1] == hash
