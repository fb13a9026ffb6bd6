import json
import shutil

import pytest
import tensorflow as tf

from pipeline.components import infra_validator
from stargan_tf.serving import warmup


@pytest.fixture
def changed(model_path, tmp_path):
    """A copy of the model that a test may damage."""
    return shutil.copytree(model_path, tmp_path / "model")


def validate(model, tmp_path, *flags):
    """Exit code and content of reasons.json."""
    output = tmp_path / "blessing"
    code = infra_validator.main(["--model", str(model), "--output", str(output), *flags])
    result = json.loads((output / "reasons.json").read_text())
    assert (output / ("BLESSED" if code == 0 else "NOT_BLESSED")).is_file()
    assert sum((output / name).exists() for name in ("BLESSED", "NOT_BLESSED")) == 1
    return code, result


def test_a_good_model_is_blessed(model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code, result = validate(model_path, tmp_path)
    assert code == 0 and result["blessed"] and result["reasons"] == []
    requests = warmup.read(model_path / "Format-Serving")
    assert [request["signature"] for request in result["requests"]] == [r.model_spec.signature_name for r in requests]
    assert {request["rows"] for request in result["requests"]} == {1, 2}


def remove_variables(serving):
    next((serving / "variables").glob("variables.data*")).unlink()


def remove_labels(serving):
    (serving / "assets" / "labels.txt").unlink()


def break_labels(serving):
    (serving / "assets" / "labels.txt").write_text("circle\nsquare\n")


def cut_warmup(serving):
    path = serving / warmup.FILE
    path.write_bytes(path.read_bytes()[:-5])


def ask_for_another_domain(serving):
    """Two warm-up requests, of one and two rows, whose first row the graph refuses."""
    records = tf.data.TFRecordDataset(str(serving / warmup.FILE)).as_numpy_iterator()
    asked = [record.replace(b"circle", b"zircon") for record in records if b"circle" in record]
    with tf.io.TFRecordWriter(str(serving / warmup.FILE)) as writer:
        for record in asked[:2]:
            writer.write(record)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_variables, "it cannot be loaded: "),
        (remove_labels, "assets/labels.txt cannot be read: No such file"),
        (break_labels, "assets/labels.txt has the domains ['circle', 'square'], and the model card"),
        (cut_warmup, "the warm-up requests cannot be read: "),
        (ask_for_another_domain, "1 rows is not answered: domain is 'zircon'; it must be one of circle"),
    ],
)
def test_a_broken_model_is_not_blessed(damage, reason, changed, tmp_path):
    damage(changed / "Format-Serving")
    code, result = validate(changed, tmp_path)
    assert code == 3
    assert reason in result["reasons"][0], result["reasons"]
    if damage is ask_for_another_domain:
        assert "2 rows is not answered: row 0: domain is 'zircon'" in result["reasons"][1]
        assert "there is no warm-up request for " in result["reasons"][2]


def test_a_slow_model_is_not_blessed(model_path, tmp_path, capsys):
    code, result = validate(model_path, tmp_path, "--time_limit", "0.05")
    assert code == 3
    assert "it took longer than 0.05 s" in result["reasons"][0]
    assert "not blessed: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--model", "nowhere"], "--model 'nowhere' has no directory Format-Serving"),
        (["--model", "nowhere", "--time_limit", "0"], "--time_limit is 0; it must be above 0"),
    ],
)
def test_a_mistake_gets_one_sentence(flags, sentence, tmp_path, capsys):
    assert infra_validator.main([*flags, "--output", str(tmp_path / "blessing")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "blessing").exists()
