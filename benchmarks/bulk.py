"""How many images a second are translated in bulk, with one process and with two, beside `stargan_tf.sample`.

    python -m benchmarks.bulk [--image_size 64] [--preset known_factors]

The networks have random weights, which takes as long as trained ones. Each command runs as users run it, in a process
of its own, with few images and with many: the difference is what images take, without starting.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.machine import processor
from benchmarks.serving import DOMAINS, export_random
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.bulk"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        preset: whose networks are measured.
        image_size: side of the images in pixels.
        few: images of the short runs.
        many: images of the long runs.
        processes: worker processes of the job, in turns.
    """

    preset: Literal["afhq_256", "known_factors"] = "known_factors"
    image_size: int = 64
    few: int = 64
    many: int = 1024
    processes: tuple[int, ...] = (1, 2)


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        version, _ = export_random(arguments.preset, arguments.image_size, "float32", root)
        sources = {count: _write_images(root, count, arguments.image_size) for count in (arguments.few, arguments.many)}
        ours = ["-m", "data_prep.translate_images", "--model", str(version), "--domain", DOMAINS[0], "--input"]
        sample = ["-m", "stargan_tf.sample", "--run", str(root / "run"), "--domain", DOMAINS[0], "--styles", "1"]
        cases = {
            f"job, {count} processes": [*ours, "{source}", f"--processes={count}"] for count in arguments.processes
        }
        cases["sample"] = [*sample, "--source", "{source}"]
        print(f"\n{'':20}{'few, s':>10}{'many, s':>10}{'images/s':>10}")
        for number, (name, command) in enumerate(cases.items()):
            seconds = [
                _time([*command, "--output", str(root / f"output_{number}_{count}")], source)
                for count, source in sources.items()
            ]
            rate = (arguments.many - arguments.few) / (seconds[1] - seconds[0])
            print(f"{name:20}{seconds[0]:>10.1f}{seconds[1]:>10.1f}{rate:>10.1f}", flush=True)


def _write_images(root: Path, count: int, side: int) -> Path:
    import numpy as np
    from PIL import Image

    folder = root / f"images_{count}"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(count):
        small = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
        small.resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{index}.jpg")
    return folder


def _time(command: Sequence[str], source: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *(part.format(source=source) for part in command)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
