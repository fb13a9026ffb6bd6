"""The training command as users run it: its errors, and how it stops and goes on."""

import json
import shutil
import signal
import statistics
import subprocess
import sys
import time

import pytest

from benchmarks.kill_and_resume import compare
from stargan_tf import train
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoint_files import latest
from tests.fixtures import TINY, flags


def lines_of(path) -> list[dict]:
    """Returns what the lines of a file hold, but for one that is just being written."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "stargan_tf.train", *map(str, arguments)]


def start(arguments, until) -> subprocess.Popen:
    """Starts training and waits until something is so."""
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not until():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail("".join(process.communicate()))
        time.sleep(0.001)
    return process


def test_a_run_that_is_stopped_and_killed_goes_on_as_if_nothing_had_been(data_path, tmp_path):
    run, undisturbed = tmp_path / "run", tmp_path / "undisturbed"
    flags_ = [*flags(TINY), "--training.deterministic", "--training.log_every=1", "--training.sample_every=1000000"]
    resume = ["--data", data_path, "--run", run]  # a run knows its configuration
    checkpoints = run / "checkpoints"

    def steps() -> list[int]:
        return [line["step"] for line in lines_of(run / "metrics.jsonl")]

    # Stopped by a signal: the very last step is saved.
    process = start(["--data", data_path, "--run", run, *flags_], lambda: len(steps()) >= 3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    stopped = steps()[-1]
    assert process.returncode == 143, err
    assert f"stopped by SIGTERM after step {stopped}, which is saved" in out
    assert "Traceback" not in err
    assert latest(run).name == f"step-{stopped}"

    # Killed while it saves: what was saved before is whole.
    process = start(
        [*resume, "--training.checkpoint_every=1"],
        lambda: len(steps()) > stopped + 3 and list(checkpoints.glob("*_temp")),
    )
    process.kill()
    out, _ = process.communicate()
    assert f"from step {stopped} to" in out
    saved = int(latest(run).name.removeprefix("step-"))
    assert saved in (steps()[-1], steps()[-1] - 1)

    # Interrupted: nothing is measured twice.
    process = start([*resume, "--training.checkpoint_every=1000000"], lambda: steps()[-1] >= saved + 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert f"from step {saved} to" in out
    last = steps()[-1]
    assert steps() == list(range(1, last + 1))
    assert list(checkpoints.glob("*_temp")) == []

    # And all of it to the bit what a run without any of this gives, though it computes up to four steps in a call.
    several = ["--training.steps_per_call=4", "--training.log_every=4", f"--training.steps={last}"]
    done = subprocess.run(
        command("--data", data_path, "--run", undisturbed, *flags_, *several),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    differences = compare(run, undisturbed)
    # The record holds the configuration, of which `training.steps` differs; measurements are means over other steps.
    assert [name for name in differences if not name.startswith(("measurements", "metrics"))] == [
        "record/.ATTRIBUTES/py_state"
    ]
    losses = [line["g_latent/total"] for line in lines_of(run / "metrics.jsonl")]
    for line in lines_of(undisturbed / "metrics.jsonl"):
        step = line["step"]
        start_of_mean = (step - 1) // 4 * 4
        assert line["g_latent/total"] == pytest.approx(statistics.mean(losses[start_of_mean:step]), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nowhere", "--run", "r"], "data directory nowhere does not exist"),
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
        (["--data", "DATA", "--run", "r", "--training.precision", "float16"], "the gradients of R1 leave the range of"),
        (["--data", "DATA", "--run", "r", "--training.precision", "double"], "double; it must be float32 or mixed_bf"),
        (
            ["--data", "DATA", "--run", "r", "--training.strategy", "multi_worker"],
            "needs the environment variable TF_CON",
        ),
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


def test_the_flag_that_lets_settings_change_is_named_and_works(trained_run, data_path, tmp_path, capsys):
    run = shutil.copytree(trained_run, tmp_path / "run")
    command = ["--data", str(data_path), "--run", str(run), "--optimizers.learning_rate", "1e-5"]
    assert train.main(command) == 2
    assert "or give --allow_changes to go on with the new ones" in capsys.readouterr().err
    assert train.main([*command, "--model.style_dim", "4", "--allow_changes"]) == 2
    assert "leave model.style_dim, which --allow_changes does not let change, as they are" in capsys.readouterr().err
    assert run_directory.recorded_events(run) == []
    assert train.main([*command, "--allow_changes"]) == 0
    (event,) = run_directory.recorded_events(run)
    assert (event["step"], event["setting"]) == (2, "optimizers.learning_rate")
    assert (event["before"], event["now"]) == (1e-4, 1e-5)
    assert train.main(command[:4]) == 0  # it stays so
    assert run_directory.load_config(run).optimizers.learning_rate == 1e-5


def test_bfloat16_without_onednn_is_refused(data_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    run = tmp_path / "run"
    flag = "--training.precision=mixed_bfloat16"
    assert train.main(["--data", str(data_path), "--run", str(run), flag]) == 2
    assert "TF_ENABLE_ONEDNN_OPTS=0" in capsys.readouterr().err


_WITHOUT_POOL = """
import os, sys
from stargan_tf import train
code = train.main(["--data", "nowhere", "--run", "run", "--training.memory_pool", "false"])
print(code, os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"], "tensorflow" in sys.modules)
"""


def test_memory_without_a_pool_is_asked_for_before_tensorflow_starts(tmp_path):
    script = [sys.executable, "-c", _WITHOUT_POOL]
    result = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout == "2 1 False\n", result.stderr
