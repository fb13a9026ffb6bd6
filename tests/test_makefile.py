"""What `make` would install."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@pytest.mark.parametrize(
    ("answer", "code", "brought"),
    [
        ("GPU 0: NVIDIA L4 (UUID: GPU-1)", 0, True),
        ("No devices were found", 6, False),
        ("NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.", 9, False),
    ],
)
def test_the_cuda_libraries_come_where_a_gpu_answers(answer, code, brought, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
    program.chmod(0o755)
    made = tmp_path / "venv" / "installed"
    planned = subprocess.run(
        ["make", "--dry-run", f"VENV={made.parent}", str(made)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
    ).stdout
    assert "--requirement requirements.lock" in planned
    assert ("'tensorflow[and-cuda]'" in planned) == brought
