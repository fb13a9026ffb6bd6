"""The classifier learns the domains of the generated data, is kept, and gives features that tell images apart."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep import images_to_tfrecords, synthetic
from stargan_tf.data.input_pipeline import read_images
from stargan_tf.data.records import open_data_directory
from stargan_tf.errors import UserError
from stargan_tf.metrics import classifier
from stargan_tf.metrics.classifier import ClassifierDistance, ClassifierFeatures, Settings
from stargan_tf.metrics.identity import identity
from stargan_tf.metrics.perceptual import mean_pairwise

# Enough for pictures of 16 px to be told apart.
SETTINGS = Settings(widths=(16, 32), steps=200, rows=16, learning_rate=1e-2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """More images than other tests need: of six a domain, nothing is learnt that holds for others."""
    path = tmp_path_factory.mktemp("classifier")
    images, data = str(path / "images"), str(path / "data")
    synthetic.write(synthetic.Arguments(images, image_size=16, train_per_domain=60, val_per_domain=20))
    images_to_tfrecords.run(images_to_tfrecords.Arguments(images, data, image_size=16, encoding="png"))
    return open_data_directory(data)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache") / "metrics"


@pytest.fixture(scope="module")
def trained(data, cache):
    return classifier.load_or_train(data, cache, SETTINGS)


def test_domains_are_learnt(trained):
    print(trained.accuracies)
    assert trained.accuracy > 0.9
