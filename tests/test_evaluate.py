import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from data_prep import images_to_tfrecords
from stargan_tf import evaluate
from stargan_tf.data.records import open_data_directory
from stargan_tf.metrics.known_factors import has_known_factors
from tests.evaluation.measures import write_onnx

QUICK = ["--outputs", "4", "--deterministic", "false"]  # determinism is for a whole process, which this is not


def test_a_table_of_known_factors_is_printed_and_the_numbers_are_kept(trained_run, data_path, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    flags = ["--mode", "known_factors", "--sources", "2", "--styles", "2", *QUICK]
    assert evaluate.main(["--run", str(run), "--data", str(data_path), *flags]) == 0
    table = capsys.readouterr().out
    result = json.loads((run / "known_factors.json").read_text())
    assert result.pop("step") == 2
    assert set(result) == {"latent", "reference", "real"}
    for guide in ("latent", "reference"):
        assert 0 <= result[guide]["domain"] <= 1
        assert f"{result[guide]['domain']:.1%}" in table
    assert 0 <= result["reference"]["hue"] <= 180
    assert not (run / "evaluation").exists()


def test_everything_that_the_data_allows_is_done_and_a_killed_evaluation_goes_on(
    trained_run, data_path, tmp_path, capsys
):
    extractor, distance = write_onnx(tmp_path)

    def command(run):
        networks = ["--extractor", extractor, "--distance", distance, "--cache", str(tmp_path / "cache")]
        return ["--run", str(run), "--data", str(data_path), *networks, *QUICK]

    runs = [shutil.copytree(trained_run, tmp_path / name) for name in ("undisturbed", "killed")]
    process = subprocess.Popen([sys.executable, "-m", "stargan_tf.evaluate", *command(runs[1])])
    try:
        while len(list(runs[1].glob("evaluation/work/*/*.json"))) < 2:
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not list(runs[1].glob("evaluation/step_*"))

    results = []
    for run in runs:
        assert evaluate.main(command(run)) == 0
        ((path,), printed) = (run / "evaluation" / "step_2").iterdir(), capsys.readouterr().out
        assert str(path) in printed
        results.append((path.name, path.read_bytes(), printed.replace(str(run), "")))
        assert not (run / "evaluation" / "work").exists()
        assert (run / "known_factors.json").is_file()
    assert results[0] == results[1]
    result = json.loads(results[0][1])
    for mode in ("latent", "reference"):
        assert f"{result[mode]['mean']['fid']:.2f}" in results[0][2]
    (line,) = ((runs[0] / "metrics.jsonl").read_text().splitlines())[2:]
    label = f"features.onnx_{result['extractor']['hash']}/allx4"
    assert json.loads(line)[f"evaluation/latent/fid/{label}"] == result["latent"]["mean"]["fid"]


@pytest.mark.parametrize("flags", [[], ["--mode", "latent,known_factors"]])
def test_too_few_images_are_told_before_a_classifier_is_trained(flags, trained_run, images_path, tmp_path, capsys):
    images, data = shutil.copytree(images_path, tmp_path / "images"), tmp_path / "data"
    shutil.rmtree(images / "val" / "square")
    images_to_tfrecords.run(images_to_tfrecords.Arguments(input=str(images), output=str(data), image_size=16))
    capsys.readouterr()
    cache = ["--cache", str(tmp_path / "cache")]
    assert evaluate.main(["--run", str(trained_run), "--data", str(data), *flags, *cache, *QUICK]) == 2
    err = capsys.readouterr().err
    assert "known factors" in err or f"domain 'square' of {data} has 0 validation image(s); an evaluation" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("flag", "value", "sentence"),
    [
        ("--extractor", "inceptoin", "there is no extractor 'inceptoin'"),
        ("--distance", "lpips", "there is no perceptual distance 'lpips'"),
    ],
)
def test_a_network_that_is_not_there_is_told_before_a_classifier_is_trained(
    flag, value, sentence, trained_run, data_path, tmp_path, capsys
):
    arguments = ["--run", str(trained_run), "--data", str(data_path), "--mode", "latent", flag, value]
    assert evaluate.main([*arguments, "--cache", str(tmp_path / "cache"), *QUICK]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_data_without_known_factors_is_refused(trained_run, images_path, tmp_path, capsys):
    bare = shutil.copytree(images_path, tmp_path / "images", ignore=shutil.ignore_patterns("attributes.jsonl"))
    data = tmp_path / "data"
    images_to_tfrecords.run(images_to_tfrecords.Arguments(input=str(bare), output=str(data), image_size=16))
    capsys.readouterr()
    assert not has_known_factors(open_data_directory(data))
    for mode in ("known_factors", "latent,known_factors"):
        flags = ["--mode", mode, "--cache", str(tmp_path / "cache"), *QUICK]
        assert evaluate.main(["--run", str(trained_run), "--data", str(data), *flags]) == 2
        assert f"{str(data)!r} has no known factors" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()  # no classifier was trained for that


def test_another_runs_data_is_refused(trained_run, images_path, tmp_path, capsys):
    images = shutil.copytree(images_path, tmp_path / "images", ignore=shutil.ignore_patterns("circle", "*.jsonl"))
    images_to_tfrecords.run(
        images_to_tfrecords.Arguments(input=str(images), output=str(tmp_path / "data"), image_size=16)
    )
    capsys.readouterr()
    assert evaluate.main(["--run", str(trained_run), "--data", str(tmp_path / "data"), *QUICK]) == 2
    assert "domains are circle, square, triangle but the data's are square, triangle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--mode", "latent,sideways"], "--mode is 'latent,sideways'; it must be different ones of latent,reference"),
        (["--outputs", "1"], "--outputs is 1; it must be at least 2"),
        (["--psi", "2"], "--psi is 2; it must be between 0 and 1"),
        (["--checkpoint", "worst"], "--checkpoint is 'worst'"),
        (["--checkpoint", "best"], "has no best checkpoint"),
    ],
)
def test_mistakes_are_told(flags, sentence, trained_run, data_path, capsys):
    assert evaluate.main(["--run", str(trained_run), "--data", str(data_path), *QUICK, *flags]) == 2
    assert sentence in capsys.readouterr().err
