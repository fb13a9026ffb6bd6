"""Every command ends with the codes of docs/exit_codes.md, by which schedulers decide."""

import errno
import importlib
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from stargan_tf.base import command_line
from stargan_tf.base.errors import DivergedError, ExitCode, RefusedError, TryAgainError, UserError
from stargan_tf.base.file_lock import locked
from stargan_tf.base.writing import WriteError
from stargan_tf.serving.served_model import ServerOutOfReach
from stargan_tf.training.hooks.measurements import NonFiniteError
from tests.docs import pages

PAGE = pages.read("docs/exit_codes.md")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
COMMANDS = sorted(
    ".".join(path.relative_to(pages.ROOT).with_suffix("").parts).removesuffix(".__main__")
    for folder in ("stargan_tf", "data_prep", "pipeline")
    for path in (pages.ROOT / folder).rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text() or path.name == "__main__.py"
    if path.name not in ("bare_process.py", "children.py")  # which others start
)


def test_the_table_has_every_code_and_no_other():
    codes = [row[0] for row in ROWS if re.fullmatch(r"\d+|128 \+ N", row[0])]
    assert codes == [*map(str, sorted(ExitCode)), "128 + N"]
    for number, name in re.findall(r"(\d+) (SIG[A-Z]+)", PAGE):
        assert int(number) == 128 + signal.Signals[name]


def test_the_table_has_every_command():
    named = [name for row in ROWS for name in re.findall(r"`((?:stargan_tf|data_prep|pipeline)\.[\w.]+)`", row[0])]
    assert sorted(named) == COMMANDS


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_flag_is_a_mistake(command, capsys):
    assert importlib.import_module(command).main(["--no_such_flag=1"]) == ExitCode.MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"python -m {command}: error: ")


# ---------------------------------------------------------------------- from error to code


@dataclass(frozen=True)
class Nothing:
    """No arguments."""


def end(error: BaseException) -> int:
    """The exit code of a command that raises an error."""

    def command(arguments: Nothing) -> None:
        raise error

    return command_line.main(Nothing, command, "program", argv=[])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("no"), 2),
        (WriteError(Path("a"), OSError(errno.ENOSPC, "full")), 2),
        (OSError(errno.ENOSPC, "No space left on device", "a"), 2),
        (PermissionError(errno.EACCES, "Permission denied", "a"), 2),
        (MemoryError(), 2),
        (RefusedError("no"), 3),
        (NonFiniteError("no"), 4),
        (DivergedError("no"), 4),
        (TryAgainError("no"), 75),
        (ServerOutOfReach("no"), 75),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), 75),
        (TimeoutError("timed out"), 75),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_code(error, code, capsys):
    assert end(error) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("program: ")


def test_another_run_at_work_passes(tmp_path):
    with locked(tmp_path / "lock", ""), pytest.raises(TryAgainError), locked(tmp_path / "lock", "it is taken"):
        pass


# ---------------------------------------------------------------------- signals

_SCRIPT = """
import ctypes, os, signal, sys, tempfile, time
from dataclasses import dataclass
from stargan_tf.base import command_line
from stargan_tf.base.process import signals

@dataclass(frozen=True)
class Nothing:
    pass

def command(arguments):
    with tempfile.TemporaryDirectory(dir=sys.argv[1]):
        print("ready", flush=True)
        {work}

signals.PATIENCE = 0.5
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what they start in the background ignore it
sys.exit(command_line.main(Nothing, command, "program", argv=[]))
"""
_FOREIGN = (
    "mutex = ctypes.create_string_buffer(64); lock = ctypes.CDLL(None).pthread_mutex_lock; lock(mutex); lock(mutex)"
)


def ended(work: str, number: int, folder: Path) -> tuple[int, str]:
    """Exit code, as subprocess reports it, and errors of a command that gets a signal at its work."""
    script = _SCRIPT.format(work=work)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)  # until it is in the midst of it
        process.send_signal(number)
        too_late = threading.Timer(60, process.kill)
        too_late.start()
        _, errors = process.communicate()
        too_late.cancel()
    return process.returncode, errors


@pytest.mark.parametrize(("number", "words"), [(signal.SIGTERM, "ended by SIGTERM"), (signal.SIGINT, "interrupted")])
def test_a_signal_ends_a_command_in_order(number, words, tmp_path):
    assert ended("time.sleep(60)", number, tmp_path) == (128 + number, f"program: {words}\n")
    assert list(tmp_path.iterdir()) == []


_WRAPPED = """
        try:
            time.sleep(60)
        except BaseException as error:
            raise RuntimeError(f"{error} [while running a step]")"""


@pytest.mark.parametrize(("number", "words"), [(signal.SIGTERM, "ended by SIGTERM"), (signal.SIGINT, "interrupted")])
def test_a_signal_that_a_library_makes_an_error_of_is_still_told(number, words, tmp_path):
    assert ended(_WRAPPED, number, tmp_path) == (128 + number, f"program: {words}\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_what_waits_in_foreign_code(number, tmp_path):
    assert ended(_FOREIGN, number, tmp_path) == (128 + number, f"program: ended by {number.name}\n")


def test_output_that_nobody_reads_ends_a_command_without_a_word(tmp_path):
    script = _SCRIPT.format(work="[print(number) for number in range(100_000)]")
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + signal.SIGPIPE
