"""Children and their temporary files end with their parent, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Starts a child through a shell, as Beam does; the child makes a temporary directory and tells its number.
_SCRIPT = """
import subprocess, sys, time
from stargan_tf.base.process import children

child = "import os, tempfile, time; tempfile.mkdtemp(); print(os.getpid(), flush=True); time.sleep(600)"
with children.ended_with_this_process():
    process = subprocess.Popen(f"{sys.executable} -c '{child}'; true", shell=True)
    sys.stdin.readline()
    process.terminate()
"""


def is_alive(number: int) -> bool:
    status = Path(f"/proc/{number}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_a_killed_process_leaves_neither_children_nor_their_files(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        assert is_alive(child) and list(tmp_path.rglob("*/tmp*"))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        deadline = time.monotonic() + 20
        while is_alive(child) or list(tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_process_that_ends_leaves_no_files_and_no_watch(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.replace("sys.stdin.readline()", "")],
        env=environment,
        stdout=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
