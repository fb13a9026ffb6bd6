import copy
import json

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.config import preset, resolve
from stargan_tf.evaluation import photograph_table, results
from stargan_tf.runs import run_directory
from stargan_tf.serving import model_card
from tests.evaluation.test_results import MEASURED, RESULT

TRAINED = {"step": 7, "g_latent/total": 1.5}
EVALUATED = {"step": 7, **results.scalars(RESULT)}
NOTHING = "Nothing was measured of this model"


def card_of(run, step=7) -> dict:
    config = resolve(preset("known_factors"), ("cat", "dog"), (32, 32))
    return model_card.create(config, run, step, "0123456789ab", "pets", 1, "float32", "cpu", "CC0-1.0", {})


def page_of(card, tmp_path) -> str:
    model_card.write(card, tmp_path)
    assert json.loads((tmp_path / model_card.CARD_FILE).read_text()) == card
    return (tmp_path / model_card.README_FILE).read_text()


def write_lines(run, *entries, torn="") -> None:
    lines = "".join(json.dumps(entry) + "\n" for entry in entries)
    (run / run_directory.METRICS_FILE).write_text(lines + torn)


def test_nothing_was_measured(tmp_path):
    card = card_of(tmp_path)
    assert card["metrics"] == {
        "known_factors": None,
        "photographs": None,
        "evaluations": [],
        "last_training_step": None,
    }
    assert NOTHING in page_of(card, tmp_path)


def test_the_published_evaluation_of_the_exported_step_is_in_it(tmp_path):
    results.write(RESULT, tmp_path)
    results.write(copy.deepcopy(RESULT) | {"step": 8, "key": "of_another_step"}, tmp_path)
    card = card_of(tmp_path)
    (evaluation,) = card["metrics"]["evaluations"]
    assert evaluation["latent"] == MEASURED and evaluation["key"] == "abc"
    page = page_of(card, tmp_path)
    assert NOTHING not in page and "step 7: 5 validation images" in page
    assert "| FID | 12.35 |" in page and "| KID x1000 | 7.89 |" in page
    for fact in ("10 outputs", "LPIPS by alex.onnx", "ba9876543210", "classifier 0123456789ab", "latent-guided"):
        assert fact in page
    assert NOTHING in page_of(card_of(tmp_path, step=9), tmp_path)


def test_known_factors_of_another_step_are_told_apart(tmp_path):
    factors = {"step": 7, "latent": {"shape": 0.5}}
    (tmp_path / run_directory.KNOWN_FACTORS_FILE).write_text(json.dumps(factors))
    card = card_of(tmp_path)
    assert card["metrics"]["known_factors"] == factors
    assert "step 7:" in page_of(card, tmp_path) and "| shape | 0.5 |" in page_of(card, tmp_path)
    assert "step 7, while the exported model is of step 9:" in page_of(card_of(tmp_path, step=9), tmp_path)
    (tmp_path / run_directory.KNOWN_FACTORS_FILE).write_text("{")
    with pytest.raises(UserError, match=r"known_factors\.json' is damaged"):
        card_of(tmp_path)


def test_what_was_measured_on_photographs_is_in_it(tmp_path):
    mean = {"judge": 0.925, "kid_judge": 0.0123, "silhouette": 0.81}
    columns = {column: {"tasks": {}, "mean": mean} for column in photograph_table.COLUMNS}
    columns["source"]["mean"] = {"judge": 0.015}
    result = columns | {
        "step": 7,
        "set": {"sources": 90, "left_out": {"cat": 3, "dog": 0}},
        "plain_ground": {"share": 0.97, "used": True},
        "judge": {"accuracy": {"cat": 0.99, "dog": 0.95}, "ground_accuracy": {"cat": 0.6, "dog": 0.7}, "hash": "0a1b"},
        "settings": {"styles": 5, "seed": 0},
    }
    (tmp_path / run_directory.PHOTOGRAPHS_FILE).write_text(json.dumps(result))
    card = card_of(tmp_path)
    assert card["metrics"]["photographs"] == result
    page = page_of(card, tmp_path)
    assert "| taken for the target domain | 92.5% | 92.5% | 1.5% | 92.5% | 92.5% |" in page
    assert "| KID x1000, judge | 12.30 | 12.30 |  | 12.30 | 12.30 |" in page
    for fact in ("step 7:", "3 of cat", "97.0% (cat 99.0%, dog 95.0%)", "by the ground alone it would be 65.0%"):
        assert fact in page
    assert NOTHING not in page
    assert "step 7, while the exported model is of step 9:" in page_of(card_of(tmp_path, step=9), tmp_path)


@pytest.mark.parametrize(
    ("entries", "torn"),
    [
        ([TRAINED], '{"step": 8, "g_la'),
        ([TRAINED, EVALUATED], ""),
        ([TRAINED, {"step": 8, "g_latent/total": 1.25}], ""),  # the best one may be older than the last
    ],
)
def test_the_last_training_step_is_of_the_exported_networks_and_of_training(tmp_path, entries, torn):
    write_lines(tmp_path, {"step": 6, "g_latent/total": 2.0}, *entries, torn=torn)
    assert card_of(tmp_path)["metrics"]["last_training_step"] == TRAINED
