"""Measures something in a process of its own, so that neither memory nor compiled graphs of another are in it."""

import json
import subprocess
import sys
from typing import Any


def measure(module: str, arguments: object, **changes: Any) -> dict[str, float]:
    """Runs a benchmark as a command and reads the JSON of its last line.

    Args:
        module: of the benchmark.
        arguments: its command line as a dataclass; None leaves a flag out.
        **changes: other values of some of the flags.

    Returns:
        What it measured.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    values = vars(arguments) | changes
    flags = [f"--{name}={str(value).lower()}" for name, value in values.items() if value is not None]
    done = subprocess.run([sys.executable, "-m", module, *flags], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
