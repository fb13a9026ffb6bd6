"""Artifacts that are kept elsewhere, on a store of objects."""

from pathlib import Path

import pytest

from pipeline.orchestration.local_directories import delivered, fetched
from stargan_tf.base import files


def test_a_local_artifact_is_what_it_is(tmp_path):
    with fetched(str(tmp_path)) as directory, delivered(str(tmp_path / "new")) as output:
        assert (directory, output) == (str(tmp_path), str(tmp_path / "new"))


def test_a_remote_one_is_fetched_and_delivered_when_it_is_complete(store):
    address = f"{store}/model"
    with delivered(address) as output:
        (Path(output) / "run").mkdir()
        (Path(output) / "run" / "config.yaml").write_text("steps: 1")
        assert not list(files.list_files(address))
    with fetched(address) as directory:
        assert (Path(directory) / "run" / "config.yaml").read_text() == "steps: 1"
    assert not Path(directory).exists()


def test_of_a_failed_stage_nothing_is_delivered(store):
    with pytest.raises(RuntimeError), delivered(f"{store}/failed") as output:
        (Path(output) / "half").write_text("")
        raise RuntimeError
    assert not list(files.list_files(f"{store}/failed"))
