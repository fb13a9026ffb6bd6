"""Trainer: what it refuses before anything is trained."""

import shutil

import pytest

from pipeline import artifacts
from pipeline.components import trainer
from stargan_tf.base.errors import UserError
from tests.fixtures import TINY, flags


def test_nothing_is_trained_on_data_with_blocking_anomalies(data_path, tmp_path):
    (tmp_path / "anomalies").mkdir()
    found = [
        {"blocking": False, "reason": "somewhat dark"},
        {"blocking": True, "reason": "domain 'cat' is missing"},
    ]
    artifacts.write_json(tmp_path / "anomalies" / artifacts.ANOMALIES_FILE, {"blocking": True, "anomalies": found})
    output, work = tmp_path / "model", tmp_path / "work"
    arguments = trainer.Arguments(str(data_path), str(output), str(work), anomalies=str(tmp_path / "anomalies"))
    with pytest.raises(UserError, match="domain 'cat' is missing") as refused:
        trainer.run(arguments)
    assert "somewhat dark" not in str(refused.value)
    assert not output.exists() and not work.exists()


def test_a_mistake_in_the_export_is_told_before_training(data_path, tmp_path, capsys):
    flags = [f"--examples={data_path}", f"--output={tmp_path / 'model'}", f"--work={tmp_path / 'work'}"]
    assert trainer.main([*flags, "--settings.export.batch_sizes=[4,2]"]) == 2
    assert "batch_sizes is [4, 2]" in capsys.readouterr().err
    assert trainer.main([*flags, "--settings.preset=nothing"]) == 2
    assert "there is no preset 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_an_earlier_attempt_goes_on_with_other_settings_only_if_asked(trained_run, data_path, tmp_path, capsys):
    shutil.copytree(trained_run, tmp_path / "work" / "run")
    words = [f"--examples={data_path}", f"--output={tmp_path / 'model'}", f"--work={tmp_path / 'work'}"]
    words += [word.replace("--", "--settings.", 1) for word in flags(TINY)]
    assert trainer.main([*words, "--settings.losses.lambda_cyc=2"]) == 2
    assert "losses.lambda_cyc is 1.0 there and 2.0 now); leave these settings" in capsys.readouterr().err
    other = ["--settings.model.style_dim=4", "--settings.allow_changes"]
    assert trainer.main([*words, "--settings.losses.lambda_cyc=2", *other]) == 2
    assert "leave model.style_dim, which --allow_changes does not let change, as they are" in capsys.readouterr().err
