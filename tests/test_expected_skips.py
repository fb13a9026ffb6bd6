import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("flags", [[], ["--numprocesses=1"]], ids=["one_process", "in_a_worker"])
@pytest.mark.parametrize(
    ("reason", "code"), [("no GPU is here", 0), ("PyTorch is not installed", 1)], ids=["expected", "unexpected"]
)
def test_only_expected_reasons_pass(tmp_path, reason, code, flags):
    (tmp_path / "test_file.py").write_text(f"import pytest\npytest.skip({reason!r}, allow_module_level=True)\n")
    (tmp_path / "test_one.py").write_text(f"import pytest\ndef test(): pytest.skip({reason!r})\n")
    (tmp_path / "test_other.py").write_text("def test(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.expected_skips", "--rootdir", tmp_path, tmp_path, *flags]
    command.append("--only-expected-skips")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == code
    told = [line for line in result.stdout.splitlines() if line.endswith(f"Skipped: {reason}")]
    assert [line.partition(":")[0] for line in told] == code * ["test_file.py", "test_one.py"]
