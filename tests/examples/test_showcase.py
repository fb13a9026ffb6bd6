"""The showcase on generated images and tiny networks: stopped by Ctrl-C, it goes on and ends with everything."""

import subprocess
import sys

import pytest

from data_prep import synthetic
from stargan_tf.config import Config, yaml_files
from stargan_tf.runs import run_directory
from tests.examples.stopping import stop_in_training
from tests.fixtures import TINY, with_training

pytestmark = pytest.mark.long


def test_it_is_stopped_and_goes_on(tmp_path):
    images, output, settings = tmp_path / "images", tmp_path / "showcase", tmp_path / "settings.yaml"
    synthetic.write(synthetic.Arguments(str(images), image_size=16, train_per_domain=20, val_per_domain=14))
    tiny: Config = with_training(TINY, sample_every=1000, checkpoint_every=1000)
    yaml_files.save(tiny, settings)
    command = [sys.executable, "-m", "examples.showcase", "--input", str(images), "--output", str(output)]
    command += ["--image_size", "16", "--settings", str(settings), "--steps", "300", "--first", "2"]
    stop_in_training(command, output / "run")

    going_on = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "resuming" in going_on and "taken for the target domain" in going_on
    assert (output / "run" / run_directory.FAILURES_FILE).is_file()
    pictures = output / "step_300"
    assert {path.name for path in (pictures / "translations").glob("*.png")} == {
        "latent_guided.png",
        "reference_guided.png",
    }
    assert (pictures / "interpolation.webp").stat().st_size > 1000
    assert (pictures / "translator.npz").stat().st_size > 1000
    files = [path for path in output.rglob("*.*") if path.name != run_directory.CONFIG_FILE]  # written at each start
    before = {path: path.stat().st_mtime_ns for path in files}
    again = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "is trained: 300 of 300 steps" in again
    assert {path: path.stat().st_mtime_ns for path in before} == before
