"""Photographs are measured right where the answer is known, and a run's evaluation shows what it found."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from data_prep import synthetic
from data_prep.shards import Shard, write_shard
from stargan_tf import evaluate
from stargan_tf.base.errors import UserError
from stargan_tf.data.records import fingerprint, open_data_directory, serialize_example, split_name
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata
from stargan_tf.evaluation import photograph_set, photograph_table
from stargan_tf.evaluation.failures import SHOWN, Failures
from stargan_tf.evaluation.photograph_measures import PhotographMeasures
from stargan_tf.evaluation.photographs import PhotographEvaluation
from stargan_tf.evaluation.tasks import Task
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import unlabelled
from stargan_tf.metrics.classifier import Settings
from stargan_tf.runs import run_directory
from stargan_tf.training.loop import train_and_evaluate
from tests.fixtures import TINY

pytestmark = pytest.mark.slow

# Objects of any shape; their colour is the domain, as with leaves, so that a perfect translation keeps the silhouette.
HUES = {"red": 0.0, "green": 0.35, "blue": 0.65}
DOMAINS = tuple(HUES)
COUNTS = {"train": 40, "val": 14}
SIDE = 32
JUDGE = Settings(widths=(8, 16), steps=60, rows=8, learning_rate=1e-2)
AUTOENCODER = unlabelled.Settings(widths=(8, 8), code=8, steps=30, batch=16)
TO_GREEN = Task("latent", "red", "green")


def factors(domain, rng):
    one = synthetic.random_factors(str(rng.choice(synthetic.DOMAINS)), rng)
    hue = (HUES[domain] + rng.uniform(-0.08, 0.08)) % 1
    return replace(one, hue=hue, radius=max(one.radius, 0.18), texture="plain", outline="none")


@pytest.fixture(scope="module")
def known():
    rng = np.random.default_rng(0)
    return {
        subset: {domain: [factors(domain, rng) for _ in range(count)] for domain in DOMAINS}
        for subset, count in COUNTS.items()
    }


def draw(of) -> np.ndarray:
    return np.stack([np.asarray(synthetic.draw(one, SIDE)) for one in of])


@pytest.fixture(scope="module")
def data(known, tmp_path_factory):
    """A data directory; the first two of red validation are also in training, one of them as a green one."""
    directory, splits = tmp_path_factory.mktemp("shapes") / "data", {}
    directory.mkdir()
    for label, domain in enumerate(DOMAINS):
        for subset, of in known.items():
            images = list(draw(of[domain]))
            if subset == "val" and domain == "red":
                images[:2] = draw([known["train"]["red"][5], known["train"]["green"][6]])
            examples = []
            for index, image in enumerate(images):
                encoded = io.BytesIO()
                Image.fromarray(image).save(encoded, "PNG")
                key = f"{subset}/{domain}/{index:03}.png"
                examples.append((key, serialize_example(encoded.getvalue(), label, key)))
            shard = write_shard(Shard(split_name(subset, domain), 0, 1), examples, str(directory))
            splits[split_name(subset, domain)] = SplitSummary((len(images),), shard.num_bytes)
    write_metadata(directory, DOMAINS, (SIDE, SIDE), splits)
    return open_data_directory(directory)


@pytest.fixture(scope="module")
def photographs(data):
    return photograph_set.read(data)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def measures(photographs, data, cache):
    return PhotographMeasures(photographs, fingerprint(data), cache, True, JUDGE, AUTOENCODER)


def test_validation_images_that_training_has_are_left_out(photographs, data):
    assert photographs.left_out["red"] >= 2
    assert not {0, 1} & set(photographs.numbers["red"])
    counts = {len(images) for images in photographs.val.values()}
    assert counts == {14 - max(photographs.left_out.values())}
    stored = photograph_set.StoredImages(data, "val_red").read(photographs.numbers["red"])
    np.testing.assert_array_equal(photograph_set.reduced(stored), photographs.val["red"])


def test_large_images_are_reduced_and_rounded():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (2, 256, 128, 3)).astype(np.float32)
    means = (images.reshape(2, 64, 4, 32, 4, 3).mean(axis=(2, 4)) + 1) * 127.5
    found = photograph_set.reduced(images)
    assert found.dtype == np.uint8 and np.abs(found - means).max() <= 1


def green_ones(photographs, known):
    """The perfect translation of the measured red ones, in three hues each."""
    of = [known["val"]["red"][number] for number in photographs.numbers["red"]]
    return np.stack([draw([replace(one, hue=hue) for one in of]) for hue in (0.29, 0.35, 0.41)])


def test_a_perfect_translation_measures_as_one(measures, photographs, known):
    assert min(measures.judge_facts["accuracy"].values()) > 0.9
    assert np.mean(list(measures.judge_facts["ground_accuracy"].values())) < 0.6
    measured, details = measures.measure(TO_GREEN, green_ones(photographs, known), True)
    assert measured["judge"] > 0.9 and measured["silhouette"] > 0.95
    assert 0 < measured["diversity_judge"] < 1 and 0 < measured["diversity_autoencoder"] < 1
    assert measured["copies"] < 0.5 and measured["nearest"] > 3
    assert details["target"].shape == details["overlap"].shape == (3, len(photographs.val["red"]))


def test_what_is_no_translation_measures_as_none(measures, photographs):
    sources, real = photographs.val["red"], photographs.val["green"]
    unchanged, _ = measures.measure(TO_GREEN, sources[None], False)
    assert unchanged["judge"] < 0.1 and unchanged["silhouette"] == 1 and "diversity_judge" not in unchanged
    nearest = measures.nearest_training_images(sources, "green")
    copied, _ = measures.measure(TO_GREEN, nearest[None], False)
    assert copied["judge"] > 0.9 and copied["nearest"] == 0 and copied["copies"] == 1 and copied["silhouette"] < 0.95
    of_real, _ = measures.measure(TO_GREEN, real[None], True)
    assert of_real["judge"] == pytest.approx(measures.judge_facts["accuracy"]["green"])
    assert of_real["diversity_judge"] == of_real["diversity_autoencoder"] == 1
    assert of_real["fid_judge"] < unchanged["fid_judge"] and of_real["kid_judge"] < unchanged["kid_judge"]
    grey = np.full_like(sources, 128)
    nothing, _ = measures.measure(TO_GREEN, np.stack([grey, grey]), True)
    assert nothing["silhouette"] < 0.1 and max(nothing["diversity_judge"], nothing["diversity_autoencoder"]) < 1e-4
    assert nothing["fid_autoencoder"] > of_real["fid_autoencoder"] and nothing["recall_judge"] == 0


def test_without_silhouettes_the_judge_sees_everything(photographs, data, cache):
    whole = PhotographMeasures(photographs, fingerprint(data), cache, False, JUDGE, AUTOENCODER)
    assert whole.judge_facts["ground_accuracy"] is None
    measured, details = whole.measure(TO_GREEN, photographs.val["green"][None], True)
    assert measured["judge"] > 0.9 and "silhouette" not in measured and "overlap" not in details


def test_the_worst_are_shown_one_of_each_source(measures, photographs, known):
    outputs = green_ones(photographs, known)
    outputs[1, 3] = photographs.val["red"][3]  # not translated
    outputs[:, 5] = 128  # gone
    _, details = measures.measure(TO_GREEN, outputs, True)
    failures = Failures(True)
    failures.add(TO_GREEN, photographs.val["red"], outputs, details, None)
    by_judge, by_silhouette = failures.worst["target"], failures.worst["overlap"]
    assert by_silhouette[0].source == 5 and by_silhouette[0].caption.endswith("0% of the silhouette kept")
    assert 3 in [failure.source for failure in by_judge[:3]]
    for worst in (by_judge, by_silhouette):
        assert len({failure.source for failure in worst}) == len(worst) == min(SHOWN, len(photographs.val["red"]))
        assert [failure.score for failure in worst] == sorted(failure.score for failure in worst)
    assert failures.picture().width > 400


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """The run directory of networks that learnt nothing."""
    path = tmp_path_factory.mktemp("nothing_learnt") / "run"
    assert train_and_evaluate(replace(TINY, training=replace(TINY.training, steps=1)), data, path) == 0
    return path


def test_a_run_is_measured_twice_alike_and_shown(run, data, cache):
    evaluation = PhotographEvaluation(data, fingerprint(data), cache, 10, 2, 0, None, JUDGE, AUTOENCODER)
    result, _ = evaluation.evaluate(Translator.from_run(run))
    again, _ = evaluation.evaluate(Translator.from_run(run))
    assert json.dumps(result) == json.dumps(again)
    assert result["plain_ground"]["used"] and result["set"]["sources"] == 10
    assert set(result["latent"]["mean"]) == set(photograph_table.PHOTOGRAPH_MEASURES)
    assert result["source"]["mean"]["silhouette"] == 1 and result["nearest"]["mean"]["nearest"] == 0
    for guide in ("latent", "reference"):
        assert len(result[guide]["tasks"]) == 6
        assert result[guide]["mean"]["judge"] < 0.7  # by chance: a third
        worst = min(task["judge"] for task in result[guide]["tasks"].values())
        assert result[guide]["mean"]["worst_judge"] == worst
    table = photograph_table.table(result)
    for title, _, _ in photograph_table.PHOTOGRAPH_MEASURES.values():
        assert title in table
    assert "red2green" in table and "of red" in table


def test_the_command_writes_and_the_table_is_printed(run, data, tmp_path, capsys, monkeypatch):
    """With networks that are trained for a few steps only: numbers are those of the tests above."""
    monkeypatch.setattr(
        PhotographEvaluation.__init__, "__defaults__", (None, 5, 0, None, replace(JUDGE, steps=2), AUTOENCODER)
    )
    flags = ["--mode", "photographs", "--styles", "2", "--sources", "10", "--deterministic", "false"]
    flags += ["--run", str(run), "--data", data.path, "--cache", str(tmp_path)]
    assert evaluate.main([*flags, "--plain_ground", "false"]) == 0
    assert "the judge sees the ground as well" in capsys.readouterr().out
    assert evaluate.main(flags) == 0
    printed = capsys.readouterr().out
    result = json.loads((run / run_directory.PHOTOGRAPHS_FILE).read_text())
    assert result["step"] == 1 and photograph_table.table(result) in printed
    with Image.open(run / run_directory.FAILURES_FILE) as picture:
        assert picture.height > 8 * SIDE


def test_too_few_images_are_told_before_any_training(data, tmp_path):
    with pytest.raises(UserError, match=r"9 validation images of each domain are too few to measure by"):
        PhotographEvaluation(data, fingerprint(data), tmp_path, sources=9)
    assert not list(tmp_path.iterdir())
