import random

import numpy as np
import pytest
from PIL import Image

from data_prep.images import ImageOptions, prepare_image
from data_prep.statistics import SplitStatistics
from stargan_tf.data.images import to_png
from tests.data_prep.jobs import noise


def test_sums_of_parts_are_the_sums_of_all_in_any_order():
    options = ImageOptions(image_size=(16, 16), encoding="png")
    images = [prepare_image(to_png(noise(20 + i, 30, i)), options) for i in range(6)]

    def add(images):
        statistics = SplitStatistics()
        for image in images:
            statistics.add(image)
        return statistics

    whole = add(images)
    random.Random(0).shuffle(images)
    parts = SplitStatistics()
    for part in (images[:2], images[2:3], images[3:]):
        parts.merge(SplitStatistics.from_json(add(part).to_json()))
    assert parts.to_json() == whole.to_json()

    summary = whole.summary()
    pixels = np.concatenate([np.asarray(image.image).reshape(-1, 3) for image in images]).astype(float)
    for index, channel in enumerate(("red", "green", "blue")):
        assert summary["stored_pixels"][channel]["mean"] == pytest.approx(pixels[:, index].mean())
        assert summary["stored_pixels"][channel]["deviation"] == pytest.approx(pixels[:, index].std())
    assert summary["source_height"]["mean"] == 22.5
    assert summary["source_height"]["deviation"] == pytest.approx(np.std(range(20, 26)), abs=1e-3)
    assert summary["source_height"]["histogram"][0] == 6


def test_brightness_is_that_of_the_eye():
    for colour, brightness in (("white", 255), ("black", 0), ("red", 76.245), ("lime", 149.685), ("blue", 29.07)):
        statistics = SplitStatistics()
        statistics.add(prepare_image(to_png(Image.new("RGB", (16, 16), colour)), ImageOptions(image_size=(16, 16))))
        assert statistics.summary()["brightness"]["mean"] == pytest.approx(brightness, abs=1e-3)
