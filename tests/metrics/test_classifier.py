"""The classifier learns the domains, is kept and found again, and gives features and distances of images."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import open_data_directory
from stargan_tf.metrics import classifier
from stargan_tf.metrics.classifier import ClassifierDistance, ClassifierFeatures
from stargan_tf.metrics.identity import identity
from stargan_tf.metrics.perceptual import mean_pairwise
from tests.metrics.conftest import SETTINGS, SIZE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(striped_data):
    """Validation images, 20 of each domain."""
    return np.concatenate([read_images(striped_data, f"val_{domain}")[0] for domain in striped_data.domains])


@pytest.fixture(scope="module")
def extractor(trained_classifier):
    return ClassifierFeatures(trained_classifier)


@pytest.fixture(scope="module")
def distance(trained_classifier):
    return ClassifierDistance(trained_classifier)


def test_domains_are_learnt(trained_classifier, striped_data, images):
    assert set(trained_classifier.accuracies) == {"lying", "standing"}
    assert trained_classifier.accuracy > 0.9
    logits, _ = trained_classifier.network(images)
    right = np.argmax(logits, axis=-1) == np.repeat([0, 1], 20)
    assert trained_classifier.accuracies == {"lying": right[:20].mean(), "standing": right[20:].mean()}


def test_it_is_kept_for_the_same_data_wherever_it_lies(trained_classifier, striped_data, classifier_cache, tmp_path):
    (kept,) = classifier_cache.iterdir()
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    moved = open_data_directory(shutil.copytree(striped_data.path, tmp_path / "data"))
    again = classifier.load_or_train(moved, classifier_cache, SETTINGS)
    assert (again.hash, again.accuracies) == (trained_classifier.hash, trained_classifier.accuracies)
    assert list(classifier_cache.iterdir()) == [kept]
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == before


def test_the_same_seed_gives_the_same_classifier(trained_classifier, striped_data, classifier_cache, tmp_path):
    """Even where an attempt before was interrupted."""
    (kept,) = classifier_cache.iterdir()
    torn = tmp_path / f".{kept.name}.partial-dead"
    torn.mkdir()
    torn.with_name(torn.name + ".lock").touch()
    (torn / "weights.npz").write_bytes(b"half")
    again = classifier.load_or_train(striped_data, tmp_path, SETTINGS)
    assert again.hash == trained_classifier.hash
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


def test_two_evaluations_at_once_train_the_same_and_the_sooner_ones_stays(
    trained_classifier, striped_data, tmp_path, monkeypatch
):
    fit, sooner = classifier._fit, []

    def fit_while_another_is_sooner(*arguments):
        monkeypatch.setattr(classifier, "_fit", fit)
        sooner.append(classifier.load_or_train(striped_data, tmp_path, SETTINGS))
        sooner.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")})
        fit(*arguments)

    monkeypatch.setattr(classifier, "_fit", fit_while_another_is_sooner)
    later = classifier.load_or_train(striped_data, tmp_path, SETTINGS)
    assert sooner[0].hash == later.hash == trained_classifier.hash
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == sooner[1]


def test_other_settings_give_another_and_a_poor_one_is_warned_of(
    trained_classifier, striped_data, classifier_cache, tmp_path
):
    cache = shutil.copytree(classifier_cache, tmp_path / "cache")
    with pytest.warns(UserWarning, match=r"only \d+\.\d% of the validation images \(by chance: 50.0%\)"):
        poor = classifier.load_or_train(striped_data, cache, replace(SETTINGS, seed=1, steps=1))
    assert poor.hash != trained_classifier.hash
    assert len(list(cache.iterdir())) == 2
    assert classifier.load_or_train(striped_data, cache, SETTINGS).hash == trained_classifier.hash


def test_features(extractor, trained_classifier, images):
    """The means of all blocks, whatever the batches: there are more images here than one takes."""
    features = extractor(np.concatenate([images, images]))
    assert features.shape == (80, extractor.dim) == (80, 8 + 16) and features.dtype == np.float32
    blocks = trained_classifier.network(images)[1]
    expected = np.concatenate([np.mean(block, axis=(1, 2)) for block in blocks], axis=1)
    np.testing.assert_allclose(features[40:], expected, rtol=1e-4, atol=1e-5)
    assert len(np.unique(features[:40].round(4), axis=0)) == 40


def test_large_images_are_reduced_first():
    """To 64 x 48, and halved by the block; smoothed, so that the finest pattern becomes grey."""
    network = classifier.build((256, 192), 2, replace(SETTINGS, widths=(4,)))
    pattern = np.where(np.indices((256, 192)).sum(axis=0) % 2, 1, -1).astype(np.float32)
    logits, (block,) = network(np.stack([np.repeat(pattern[..., None], 3, axis=-1), np.zeros((256, 192, 3))]))
    assert logits.shape == (2, 2) and block.shape == (2, 32, 24, 4)
    np.testing.assert_allclose(block[0, 1:-1, 1:-1], block[1, 1:-1, 1:-1], atol=1e-4)


def test_the_distance_is_that_of_unit_vectors(distance, trained_classifier, images):
    features = distance.features(images)
    found = distance.distance([layer[:1] for layer in features], [layer[1:] for layer in features])
    expected = 0
    for block in trained_classifier.network(images)[1]:
        block = np.asarray(block, np.float64)
        unit = block / np.maximum(np.linalg.norm(block, axis=-1, keepdims=True), 1e-9)
        expected = expected + ((unit[:1] - unit[1:]) ** 2).sum(axis=-1).mean(axis=(1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert mean_pairwise(distance, np.repeat(images[:1], 3, axis=0)) == 0
    assert mean_pairwise(distance, images[:20]) > 0


def test_the_accuracy_stands_beside_every_number(extractor, distance, trained_classifier):
    expected = {"name": "classifier", "hash": trained_classifier.hash, "accuracy": trained_classifier.accuracy}
    assert identity(extractor) == identity(distance) == expected
    assert replace(trained_classifier, accuracies={}).accuracy is None


def test_what_it_cannot_do_is_refused(
    extractor, distance, striped_data, trained_classifier, classifier_cache, tmp_path
):
    for function in (extractor, distance.features):
        with pytest.raises(UserError, match="trained on images of 16 x 20 px and cannot take those of 20 x 16"):
            function(np.zeros((1, *SIZE[::-1], 3), np.float32))
    with pytest.raises(UserError, match="has only 'lying'; take another extractor"):
        classifier.load_or_train(replace(striped_data, domains=("lying",)), tmp_path, SETTINGS)
    cache = shutil.copytree(classifier_cache, tmp_path / "cache")
    for kept in cache.iterdir():
        assert json.loads((kept / "classifier.json").read_text())["domains"] == ["lying", "standing"]
        (kept / "weights.npz").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot be read \(.*\); delete that directory"):
        classifier.load_or_train(striped_data, cache, SETTINGS)
