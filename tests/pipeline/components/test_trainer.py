"""Trainer: what it refuses before anything is trained."""

import shutil

import pytest

from pipeline import artifacts
from pipeline.components import trainer
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from tests.fixtures import TINY, flags
from tests.stores import new_store, upload


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
    assert trainer.main([*flags, "--trainer.export.batch_sizes=[4,2]"]) == 2
    assert "error: --trainer.export.batch_sizes is [4, 2]" in capsys.readouterr().err
    assert trainer.main([*flags, "--trainer.preset=nothing"]) == 2
    assert "there is no preset 'nothing'" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_an_earlier_attempt_goes_on_with_other_settings_only_if_asked(trained_run, data_path, tmp_path, capsys):
    shutil.copytree(trained_run, tmp_path / "work" / "run")
    words = [f"--examples={data_path}", f"--output={tmp_path / 'model'}", f"--work={tmp_path / 'work'}"]
    words += [word.replace("--", "--trainer.", 1) for word in flags(TINY)]
    assert trainer.main([*words, "--settings.losses.lambda_cyc=2"]) == 2  # as the section was named before
    told = capsys.readouterr().err
    assert "losses.lambda_cyc is 1.0 there and 2.0 now); leave these settings" in told
    assert "or give --trainer.allow_changes to go on" in told
    other = ["--trainer.model.style_dim=4", "--trainer.allow_changes"]
    assert trainer.main([*words, "--trainer.losses.lambda_cyc=2", *other]) == 2
    assert (
        "leave model.style_dim, which --trainer.allow_changes does not let change, as they are"
        in capsys.readouterr().err
    )


@pytest.mark.long
def test_unfinished_training_may_lie_on_a_store(trained_run, data_path, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    work = f"{new_store('memory', request)}/work"
    upload(trained_run, f"{work}/run")
    words = [f"--examples={data_path}", "--output=model", f"--work={work}", "--trainer.training.steps=3"]
    words += [word.replace("--", "--trainer.", 1) for word in flags(TINY)]
    quick = ["batch_sizes=[1]", "max_rows=2", "max_pixels=100000"]
    assert trainer.main([*words, *(f"--trainer.export.{word}" for word in quick)]) == 0
    assert "checkpoints/step-3.index" in files.find(f"{work}/run")
    assert (tmp_path / "model" / artifacts.RUN / "checkpoints" / "step-3.index").is_file()
    assert (tmp_path / "model" / artifacts.SERVING_MODEL / "saved_model.pb").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
