import copy
import json

import numpy as np
import pytest

from data_prep.statistics import EDGES
from pipeline import anomalies
from pipeline.anomalies import KINDS, Thresholds
from pipeline.components import schema_gen

COUNTS = {"train": 400, "val": 100}


def histogram(name, values):
    return np.histogram(values, [min(edge, 1e9) for edge in EDGES[name]])[0].tolist()


def make_statistics(seed=0, domains=("cat", "dog"), brightness=120.0, side=300.0):
    """Statistics of 400 training and 100 validation images a domain, as the job would write them."""
    random = np.random.default_rng(seed)
    splits = {}
    for subset, count in COUNTS.items():
        for domain in domains:
            width = random.normal(side, 40, count).clip(10)
            values = {
                "brightness": random.normal(brightness, 30, count).clip(0, 255),
                "source_width": width,
                "source_height": width,
                "source_aspect": random.normal(1.0, 0.1, count),
            }
            splits[f"{subset}_{domain}"] = {"num_examples": count} | {
                name: {"count": count, "mean": float(of_all.mean()), "histogram": histogram(name, of_all)}
                for name, of_all in values.items()
            }
    return {
        "image_size": [256, 256],
        "encoding": "jpeg",
        "domains": list(domains),
        "splits": splits,
        "num_images": 1000,
        "num_rejected": 0,
        "rejected_by_domain": {},
        "duplicates_by_domain": {},
        "near_duplicates_by_split": {},
    }


SCHEMA = schema_gen.describe(make_statistics(seed=1))


def find(statistics, thresholds=Thresholds(), schema=SCHEMA):  # noqa: B008  # It is frozen.
    return anomalies.find(statistics, schema, thresholds)


def test_nothing_is_wrong_with_other_images_of_the_same_kind():
    for seed in range(2, 12):
        assert find(make_statistics(seed)) == []


def drop_split(statistics):
    del statistics["splits"]["val_dog"]


def shrink(statistics):
    statistics["splits"]["train_dog"]["num_examples"] = 100


def reject(statistics):
    statistics["num_rejected"], statistics["rejected_by_domain"] = 45, {"dog": 45}


CASES = {
    "missing_domain": (make_statistics(domains=("cat",)), "domain 'dog' is missing; the data has cat"),
    "new_domain": (make_statistics(domains=("cat", "dog", "fox")), "domain 'fox' is new; expected are cat, dog"),
    "domain_order": (make_statistics(domains=("dog", "cat")), "the domains are in the order dog, cat; expected is cat"),
    "image_size": (
        make_statistics() | {"image_size": [128, 256]},
        "images are 128 x 256 pixels (height x width); they were 256 x 256",
    ),
    "too_few_images": (drop_split, "val_dog has 0 images; at least 2 are needed"),
    "count_changed": (shrink, "train_dog has 100 images, 4 times fewer than the 400 before; 2 times is allowed"),
    "small_sources": (make_statistics(side=200), "have a height below 256 pixels and were enlarged; 50.0% is allowed"),
    "brightness_drift": (make_statistics(brightness=160), "the brightness of train_cat drifted by 0.4"),
    "size_drift": (make_statistics(side=600), "the width of the sources of train_cat drifted by"),
    "near_duplicates": (
        make_statistics() | {"near_duplicates_by_split": {"val_cat": 30}},
        "30.0% of the images of val_cat look like a training image; 20.0% is allowed",
    ),
    "too_many_rejected": (reject, "8.3% of the images of domain 'dog' were rejected; 5.0% is allowed"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_found_told_and_may_be_tolerated(kind):
    change, sentence = CASES[kind]
    statistics = make_statistics()
    if callable(change):
        change(statistics)
    else:
        statistics = copy.deepcopy(change)
    found = [anomaly for anomaly in find(statistics, Thresholds(tolerated=[])) if anomaly["kind"] == kind]
    assert any(sentence in anomaly["reason"] for anomaly in found), found
    assert all(anomaly["blocking"] for anomaly in found)
    assert json.loads(json.dumps(found)) == found
    tolerated = [anomaly for anomaly in find(statistics, Thresholds(tolerated=[kind])) if anomaly["kind"] == kind]
    assert len(tolerated) == len(found) and not any(anomaly["blocking"] for anomaly in tolerated)


def test_without_a_schema_only_the_data_itself_is_judged():
    assert find(make_statistics(domains=("cat",), brightness=200), schema=None) == []
    (missing,) = find(make_statistics(domains=("cat",)), Thresholds(domains=["cat", "dog"]), schema=None)
    assert missing["kind"] == "missing_domain" and missing["domain"] == "dog" and missing["split"] is None


def test_a_domain_that_is_wanted_is_not_new():
    found = find(make_statistics(domains=("cat", "dog", "fox")), Thresholds(domains=["cat", "dog", "fox"]))
    assert found == []


def test_of_few_images_no_drift_can_be_told():
    """Six images are easily all brighter than six others; were it six hundred, that would be no chance."""
    few = {"brightness": [6, 0, 0], "others": [0, 2, 4]}
    assert anomalies.kolmogorov_smirnov(few["brightness"], few["others"]) == 1.0
    assert anomalies.largest_by_chance(6, 6) > 1 > anomalies.largest_by_chance(600, 600)


def test_the_distance_is_the_largest_difference_of_shares():
    assert anomalies.kolmogorov_smirnov([1, 2, 1], [10, 20, 10]) == 0
    assert anomalies.kolmogorov_smirnov([4, 0, 0], [0, 0, 7]) == 1
    assert anomalies.kolmogorov_smirnov([5, 5, 0], [5, 0, 5]) == pytest.approx(0.5)


def test_chance_exceeds_its_limit_once_in_a_thousand_times():
    random = np.random.default_rng(0)
    edges = np.linspace(0, 1, 201)
    limit = anomalies.largest_by_chance(300, 150)
    distances = [
        anomalies.kolmogorov_smirnov(*(np.histogram(random.random(n), edges)[0].tolist() for n in (300, 150)))
        for _ in range(1000)
    ]
    assert sum(distance > limit for distance in distances) <= 5
    assert sum(distance > 0.7 * limit for distance in distances) >= 10  # the limit is not far off, either
