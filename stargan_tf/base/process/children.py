"""Ends the children of a process that is killed, and removes their temporary files, which nobody else would.

A small process of its own watches: it reads from a pipe that ends with the process, however that ends. A child cannot
be asked to (PR_SET_PDEATHSIG), where a library starts it through a shell, as Beam does.

Run as a script: `python -I children.py TOKEN DIRECTORY`.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "STARGAN_TF_CHILD_OF"  # in the environment of children and of their children, by which they are found


@contextlib.contextmanager
def ended_with_this_process() -> Iterator[None]:
    """Put it around what starts processes: if this one is killed, they are killed, too.

    Temporary files of this process and of its children lie in a directory of their own meanwhile, which is removed in
    any case.
    """
    token = uuid.uuid4().hex
    directory = tempfile.mkdtemp(prefix="stargan_tf-")
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, token, directory], stdin=subprocess.PIPE, start_new_session=True
    )
    before = {name: os.environ.get(name) for name in (VARIABLE, "TMPDIR")}, tempfile.tempdir
    os.environ |= {VARIABLE: token, "TMPDIR": directory}
    tempfile.tempdir = directory
    try:
        yield
    finally:
        variables, tempfile.tempdir = before
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        watch.communicate(b"done")
        shutil.rmtree(directory, ignore_errors=True)


def _watch(token: str, directory: str) -> None:
    """Waits for the end of the process that started this one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # which may be sent to all processes of a terminal
    if sys.stdin.buffer.read() == b"done":
        return
    mark = f"{VARIABLE}={token}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _watch(*sys.argv[1:])
