"""Stops an example while it trains, as Ctrl-C in a terminal does."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from stargan_tf.runs import run_directory


def stop_in_training(command: Sequence[str], run: Path) -> None:
    """Starts a command, and sends SIGINT to all of its processes when its training has recorded something.

    Args:
        command: of an example.
        run: the directory of the run that it trains.
    """
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, text=True)
    try:
        while not (run / run_directory.METRICS_FILE).is_file():
            assert process.poll() is None
            time.sleep(0.1)
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
    assert "stopped by SIGINT after step" in process.communicate()[0]
    assert process.returncode == 130
