"""Measures something in a process of its own, so that neither memory nor compiled graphs of another are in it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def measure(module: str, arguments: object, **changes: Any) -> dict[str, float]:
    """Runs a benchmark as a command and reads the JSON of its last line; for arguments and errors see `output`.

    Returns:
        What it measured.
    """
    return json.loads(output(module, arguments, {}, **changes).splitlines()[-1])


def output(module: str, arguments: object, environment: Mapping[str, str], **changes: Any) -> str:
    """Runs a benchmark as a command and returns what it prints.

    Args:
        module: of the benchmark.
        arguments: its command line as a dataclass; None leaves a flag out.
        environment: variables besides those of this process.
        **changes: other values of some of the flags.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    values = vars(arguments) | changes
    flags = [f"--{name}={str(value).lower()}" for name, value in values.items() if value is not None]
    command, variables = [sys.executable, "-m", module, *flags], os.environ | environment
    return subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout
