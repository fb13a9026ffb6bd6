"""The training command as users run it: its errors, and how it stops and goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from stargan_tf import train
from tests.fixtures import TINY, flags


def lines_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "stargan_tf.train", *map(str, arguments)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_has_saved_its_last_step_and_goes_on(number, data_path, tmp_path):
    run = tmp_path / "run"
    start = ["--data", data_path, "--run", run, *flags(TINY), "--training.log_every=1"]
    process = subprocess.Popen(command(*start), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(lines_of(run / "metrics.jsonl")) < 3:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    last = lines_of(run / "metrics.jsonl")[-1]["step"]
    assert process.returncode == 128 + number
    assert f"stopped by {signal.Signals(number).name} after step {last}, which is saved" in out
    assert "Traceback" not in err
    assert tf.train.latest_checkpoint(str(run / "checkpoints")).endswith(f"step-{last}")

    # Without the flags again: the run knows its configuration.
    resumed = command("--data", data_path, "--run", run, f"--training.steps={last + 2}")
    done = subprocess.run(resumed, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"from step {last} to {last + 2}" in done.stdout
    assert [line["step"] for line in lines_of(run / "metrics.jsonl")][-2:] == [last + 1, last + 2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nowhere", "--run", "r"], "there is no data directory 'nowhere'"),
        (["--data", "DATA", "--run", "r", "--preset", "afhq"], "there is no preset 'afhq'; choose one of afhq_256"),
        (["--data", "DATA", "--run", "r", "--preset", "afhq_256"], "image size is 256x256 but the data's is 16x16"),
        (
            ["--data", "DATA", "--run", "r", "--preset", "celeba_hq_256", "--model.image_size", "16"],
            "has 2 domains but the data has 3 (circle, square, triangle)",
        ),
        (["--data", "DATA", "--run", "r", "--model.num_domains", "2"], "has 2 domains but the data has 3"),
        (["--data", "DATA", "--run", "r", "--domains", "[a,b,c]"], "domains are a, b, c but the data's are circle"),
        (["--data", "DATA", "--run", "r", "--losses.adversarial", "wgan"], "--losses.adversarial is 'wgan'"),
        (["--data", "DATA", "--run", "r", "--training.steps", "many"], "--training.steps is 'many'"),
        (["--data", "DATA", "--run", "r", "--training.steps", "0"], "--training.steps is 0; it must be at least 1"),
        (["--data", "DATA", "--run", "r", "--model.w_hpf", "1"], "at least 32, not 16x16"),
        (["--data", "DATA", "--run", "r", "--batch", "8"], "--batch"),
        (["--data", "DATA"], "run"),
    ],
)
def test_a_mistake_gets_one_sentence(arguments, sentence, data_path, tmp_path, monkeypatch, capsys):
    data_path = data_path.resolve()
    monkeypatch.chdir(tmp_path)
    assert train.main([str(data_path) if argument == "DATA" else argument for argument in arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert not (tmp_path / "r").exists()


def test_bfloat16_without_onednn_is_refused(data_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    run = tmp_path / "run"
    flag = "--training.precision=mixed_bfloat16"
    assert train.main(["--data", str(data_path), "--run", str(run), flag]) == 2
    assert "TF_ENABLE_ONEDNN_OPTS=0" in capsys.readouterr().err
