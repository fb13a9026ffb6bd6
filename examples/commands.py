"""Runs commands as a user would: shown, in a process of its own, and stopped by the signals that stop this one."""

import signal
import subprocess
import sys


class Stopped(Exception):
    """A command ended with another exit code than 0.

    Args:
        code: the exit code, which is 128 + N after signal N.
    """

    def __init__(self, code: int):
        super().__init__(f"exit code {code}")
        self.code = code


def run(module: str, *flags: object) -> None:
    """Shows a command and runs it; signals are its own to answer, since it saves what it has first.

    Args:
        module: what is run by `python -m`.
        flags: its command line.

    Raises:
        Stopped: it failed or was stopped.
    """
    print(f"\npython -m {module} " + " ".join(map(str, flags)), flush=True)
    process = subprocess.Popen([sys.executable, "-m", module, *map(str, flags)])
    # From a terminal, Ctrl-C reaches the command as well.
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda number, frame: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number)),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code:
        raise Stopped(128 - code if code < 0 else code)
