"""Inception is loaded from a file of weights; what is none, and a download that fails, are told in a sentence."""

import urllib.request

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.metrics import inception
from stargan_tf.metrics.loading import load_extractor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    """With random weights, as the real ones cannot be fetched here."""
    return inception.build(None)


def test_weights_of_a_file(network, tmp_path):
    """Of the format that the published file has."""
    path = tmp_path / "inception_notop.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    extractor = load_extractor(f"inception:{path}", data=None, cache=tmp_path)
    assert (extractor.name, extractor.dim) == ("inception", 2048)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), np.uint8)
    features = extractor(pixels.astype(np.float32) / 127.5 - 1)
    resized = [np.asarray(Image.fromarray(image).resize((299, 299), Image.Resampling.BILINEAR)) for image in pixels]
    prepared = keras.applications.inception_v3.preprocess_input(np.stack(resized).astype(np.float32))
    np.testing.assert_allclose(features, network(prepared, training=False), rtol=1e-3, atol=1e-6)
    assert np.abs(features[0] - features[1]).max() > 1e-5
    assert len(extractor.hash) == 12


def test_files_that_are_none(tmp_path, monkeypatch, network):
    monkeypatch.setattr(inception, "build", lambda weights: network)  # building takes seconds
    with pytest.raises(UserError, match="there is no file of Inception weights"):
        load_extractor(f"inception:{tmp_path / 'missing.h5'}", None, tmp_path)
    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    small.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "text.h5").write_text("no weights")
    for name in ("other.weights.h5", "text.h5"):
        with pytest.raises(UserError, match=f"{name}' holds no weights of the InceptionV3 of keras.applications"):
            load_extractor(f"inception:{tmp_path / name}", None, tmp_path)


def test_a_download_that_fails(tmp_path, monkeypatch):
    """Through a proxy that is not there, into an empty cache."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # remembers proxies
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))
    told = (
        r"weights of Inception cannot be downloaded \(URL fetch failure on https://.*notop.h5.*\); .* as inception:FILE"
    )
    with pytest.raises(UserError, match=told):
        load_extractor("inception", None, tmp_path)
