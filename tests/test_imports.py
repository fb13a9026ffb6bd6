"""No part imports what it does not need: training no Beam, the job no TensorFlow, `--help` neither."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.fixtures import TINY, flags

COMMANDS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["scripts"]


# Programs end where they import one of the packages, which `find_spec` finds all the same.
_WITHOUT = """
import importlib.machinery, sys


class Refused:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {refused}:
            return importlib.machinery.ModuleSpec(name, Refused)

    def exec_module(module):
        pass

    def create_module(spec):
        sys.exit(f"{{spec.name}} is imported")


sys.meta_path.insert(0, Refused)
"""


def run_without(refused: tuple[str, ...], code: str, *arguments) -> None:
    """Runs code in a process of its own, which must not import some packages."""
    command = [sys.executable, "-c", _WITHOUT.format(refused=refused) + code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr


def test_training_needs_no_beam(data_path, tmp_path):
    code = "from stargan_tf import train; sys.exit(train.main())"
    place = ("--data", data_path, "--run", tmp_path / "run", "--training.steps=1")
    run_without(("apache_beam", "gradio"), code, *place, *flags(TINY))
    assert (tmp_path / "run" / "checkpoints" / "checkpoint").is_file()


def test_the_job_needs_no_tensorflow(images_path, tmp_path):
    code = "from data_prep import images_to_tfrecords; sys.exit(images_to_tfrecords.main())"
    place = ("--input", images_path, "--output", tmp_path / "data", "--image_size=16", "--encoding=png")
    run_without(("tensorflow", "keras"), code, *place)
    assert (tmp_path / "data" / "manifest.json").is_file()


def test_help_needs_neither():
    code = """
import importlib
for command in sys.argv[1:]:
    module, _, function = command.partition(":")
    try:
        getattr(importlib.import_module(module), function)(["--help"])
    except SystemExit as stop:
        assert not stop.code, command
    else:
        raise AssertionError(f"{command} goes on after --help")
"""
    heavy = ("tensorflow", "keras", "apache_beam", "tensorflow_datasets", "matplotlib", "gradio", "torch", "tfx")
    run_without(heavy, code, *COMMANDS.values())
