import copy
import json
import os

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.evaluation import results

MEASURED = {
    "fid": 12.3456,
    "kid": 0.00789,
    "kid_deviation": 0.001,
    "lpips": 0.45,
    "precision": 0.9,
    "recall": 0.1,
    "density": 1.25,
    "coverage": 0.75,
}
TASK = {"source": "cat", "target": "dog", **MEASURED, "num_sources": 5, "num_generated": 50, "num_real": 3000}
RESULT = {
    "step": 7,
    "extractor": {"name": "classifier", "hash": "0123456789ab"},
    "distance": {"name": "alex.onnx", "hash": "ba9876543210"},
    "settings": {"modes": ["latent"], "sources": 5, "outputs": 10},
    "key": "abc",
    "latent": {"tasks": {"cat2dog": TASK}, "mean": MEASURED},
}


def test_the_table_says_what_was_measured_with_what():
    lines = results.table(RESULT).splitlines()
    assert "alex.onnx ba9876543210" in lines[0] and "classifier 0123456789ab" in lines[0]
    assert lines[2].split() == [
        "latent-guided",
        "FID",
        "KID",
        "x1000",
        "LPIPS",
        "precision",
        "recall",
        "density",
        "coverage",
    ]
    for line, name in zip(lines[3:5], ("cat to dog", "mean"), strict=True):
        assert line.startswith(name)
        assert line.split()[-7:] == ["12.35", "7.89", "0.4500", "0.900", "0.100", "1.250", "0.750"]
    assert "only 50 images" in lines[-1]


def test_names_of_numbers_tell_extractor_and_subset():
    named = results.scalars(RESULT)
    assert named["evaluation/latent/fid/classifier_0123456789ab/5x10"] == 12.3456
    assert named["evaluation/latent/lpips/alex.onnx_ba9876543210/5x10"] == 0.45
    assert len(named) == 7


def test_recorded_once(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2, "lo')
    for _ in range(2):
        results.record(RESULT, tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 7]
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_results_of_a_step_stand_beside_each_other(tmp_path):
    other = copy.deepcopy(RESULT) | {"key": "def"}
    paths = {results.write(result, tmp_path) for result in (RESULT, other, RESULT)}
    assert sorted(path.name for path in paths) == ["latent_classifier_abc.json", "latent_classifier_def.json"]
    assert {path.parent for path in paths} == {tmp_path / "evaluation" / "step_7"}
    assert json.loads(results.write(RESULT, tmp_path).read_text()) == RESULT


def test_a_directory_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "evaluation").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        results.write(RESULT, tmp_path)


def test_how_well_the_classifier_knows_the_domains_stands_beside_its_numbers():
    result = copy.deepcopy(RESULT)
    result["extractor"]["accuracy"] = 0.987
    assert "which recognizes 98.7% of the validation images" in results.table(result).splitlines()[0]
    assert "recognizes" not in results.table(RESULT)


def test_results_of_a_step_are_those_of_its_newest_weights(tmp_path):
    """A run that went back comes by the same step twice."""
    assert results.of_step(tmp_path, 7) == []
    for seconds, key, weights in ((1, "c", "old"), (2, "a", "new"), (3, "b", "new")):
        path = results.write(copy.deepcopy(RESULT) | {"key": key, "weights": weights}, tmp_path)
        os.utime(path, (seconds, seconds))
    assert [result["key"] for result in results.of_step(tmp_path, 7)] == ["a", "b"]
    assert results.of_step(tmp_path, 8) == []
    path.write_text('{"step": 7, "ke')
    with pytest.raises(
        UserError, match=r"latent_classifier_b\.json' is damaged \(.*\); evaluate once more, or remove it"
    ):
        results.of_step(tmp_path, 7)
