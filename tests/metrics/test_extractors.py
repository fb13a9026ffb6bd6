"""Extractors and distances are found by what users call them."""

import functools

import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.metrics import classifier
from stargan_tf.metrics.loading import load_distance, load_extractor
from tests.metrics import onnx_files
from tests.metrics.conftest import SETTINGS, SIZE


@pytest.mark.slow
def test_the_classifier(trained_classifier, striped_data, classifier_cache, monkeypatch):
    quick = functools.partial(classifier.load_or_train, settings=SETTINGS)
    monkeypatch.setattr(classifier, "load_or_train", quick)
    extractor = load_extractor("classifier", striped_data, classifier_cache)
    distance = load_distance("classifier", striped_data, classifier_cache)
    assert extractor.hash == distance.hash == trained_classifier.hash
    assert extractor.name == distance.name == "classifier"


def test_onnx_files(striped_data, tmp_path):
    onnx_files.write(tmp_path / "net.onnx")
    onnx_files.write(tmp_path / "layers.onnx", ("relu0", "relu1"))
    np.savez(tmp_path / "linear.npz", lin0=np.ones(4), lin1=np.ones(6))
    extractor = load_extractor(str(tmp_path / "net.onnx"), striped_data, tmp_path)
    distance = load_distance(f"{tmp_path}/layers.onnx:{tmp_path}/linear.npz", striped_data, tmp_path)
    assert (extractor.name, distance.name) == ("net.onnx", "layers.onnx")
    images = np.zeros((2, *SIZE, 3), np.float32)
    assert extractor(images).shape == (2, 6)
    assert len(distance.features(images)) == 2


@pytest.mark.parametrize("spec", ["", "lpips", "net.pt", "classifier.npz", "onnx"])
def test_others_are_refused(spec, striped_data, tmp_path):
    with pytest.raises(UserError, match=f"there is no extractor {spec!r}; take classifier, inception, "):
        load_extractor(spec, striped_data, tmp_path)
    with pytest.raises(UserError, match=f"there is no perceptual distance {spec!r}; take classifier, or FILE.onnx:"):
        load_distance(spec, striped_data, tmp_path)


def test_a_distance_needs_its_weights(striped_data, tmp_path):
    with pytest.raises(UserError, match=r"there is no perceptual distance 'net.onnx'; .* FILE.onnx:LINEAR_WEIGHTS.npz"):
        load_distance("net.onnx", striped_data, tmp_path)
