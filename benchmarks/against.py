"""Training iterations of this version and of another one in turns, so that whatever else the machine does meets both.

    git clone . /tmp/other && git -C /tmp/other checkout COMMIT
    python -m benchmarks.against --other /tmp/other [--precision mixed_bfloat16] [--turns 10]

Each version is a process that does one iteration whenever it is told to, with the networks of `benchmarks.train_step`.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import train_step
from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.against"
HERE = Path(__file__).resolve().parents[1]

# The package of the version that is measured, with the benchmarks of this one.
_PROCESS = """
import sys
sys.path.insert(0, {version!r})
import stargan_tf
sys.path.insert(0, {here!r})
from benchmarks import against
against.answer({precision!r}, {image_size})
"""


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        other: directory of another version's files.
        precision: float32 or mixed_bfloat16.
        image_size: side of the images in pixels.
        turns: iterations of each version after its first one.
    """

    other: str
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    image_size: int = 256
    turns: int = 10


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    versions = {"other": Path(arguments.other).resolve(), "this": HERE}
    processes = {name: _start(version, arguments) for name, version in versions.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in versions}
    for turn in range(arguments.turns):
        for name in sorted(versions, reverse=turn % 2 == 1):
            found[name].append(_ask(processes[name]))
    for process in processes.values():
        process.kill()
    print("times are medians, the ratio's that of the turns")
    print(f"{'':8}{'s/iteration':>12}{'ratio':>8}{'fastest':>9}{'peak GB':>9}")
    for name, rows in found.items():
        ratio = statistics.median(mine[0] / others[0] for mine, others in zip(rows, found["other"], strict=True))
        seconds = [row[0] for row in rows]
        print(f"{name:8}{statistics.median(seconds):>12.2f}{ratio:>8.3f}{min(seconds):>9.2f}{rows[-1][1]:>9.2f}")


def _start(version: Path, arguments: Arguments) -> subprocess.Popen[str]:
    names = {"version": str(version), "here": str(HERE)}
    code = _PROCESS.format(**names, precision=arguments.precision, image_size=arguments.image_size)
    # Not from here, or this version's package would be found first.
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=version
    )


def _ask(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Has a process do an iteration; returns its seconds, and the process's peak of memory in GB."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("an iteration\n")
    process.stdin.flush()
    seconds, gigabytes = process.stdout.readline().split()
    return float(seconds), float(gigabytes)


def answer(precision: Literal["float32", "mixed_bfloat16"], image_size: int) -> None:
    """Does an iteration for every line of standard input, and prints its seconds and the peak of memory so far."""
    iterate, batch = train_step.prepare(train_step.Arguments(image_size=image_size, precision=precision, fused=True))
    for _ in sys.stdin:
        print(train_step.timed(iterate, batch), peak_memory() / 1e9, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
