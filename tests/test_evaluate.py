import json
import shutil

from data_prep import images_to_tfrecords
from stargan_tf import evaluate


def test_a_table_is_printed_and_the_numbers_are_kept(trained_run, data_path, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    assert evaluate.main(["--run", str(run), "--data", str(data_path), "--sources", "2", "--styles", "2"]) == 0
    table = capsys.readouterr().out
    result = json.loads((run / "known_factors.json").read_text())
    assert result.pop("step") == 2
    assert set(result) == {"latent", "reference", "real"}
    for guide in ("latent", "reference"):
        assert 0 <= result[guide]["domain"] <= 1
        assert f"{result[guide]['domain']:.1%}" in table
    assert 0 <= result["reference"]["hue"] <= 180


def test_data_without_known_factors_is_refused(trained_run, images_path, tmp_path, capsys):
    bare = shutil.copytree(images_path, tmp_path / "images", ignore=shutil.ignore_patterns("attributes.jsonl"))
    data = tmp_path / "data"
    images_to_tfrecords.run(images_to_tfrecords.Arguments(str(bare), str(data), image_size=16))
    capsys.readouterr()
    assert evaluate.main(["--run", str(trained_run), "--data", str(data)]) == 2
    assert f"{str(data)!r} has no known factors" in capsys.readouterr().err


def test_another_runs_data_is_refused(trained_run, images_path, tmp_path, capsys):
    images = shutil.copytree(images_path, tmp_path / "images", ignore=shutil.ignore_patterns("circle", "*.jsonl"))
    images_to_tfrecords.run(images_to_tfrecords.Arguments(str(images), str(tmp_path / "data"), image_size=16))
    capsys.readouterr()
    assert evaluate.main(["--run", str(trained_run), "--data", str(tmp_path / "data")]) == 2
    assert "domains are circle, square, triangle but the data's are square, triangle" in capsys.readouterr().err
