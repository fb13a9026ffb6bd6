"""How the job does on a real Flink or Spark of this machine: seconds, tasks, and what comes of workers that are killed.

    python -m benchmarks.engines --engines FOLDER --input photos [--kind flink] [--image_size 64] [--kills 10]

FOLDER holds a script `engine` that starts and stops them. Every output is compared, byte for byte, with that of one
process. Exit code 1: one differed, or a job failed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.machine import processor
from stargan_tf.base import command_line
from tests.data_prep.jobs import read_all
from tests.data_prep.real_engines import Engine, moments, run_job

PROGRAM = "python -m benchmarks.engines"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        engines: folder of the script.
        input: folder of images.
        kind: which engine.
        image_size: side of the images in pixels.
        kills: jobs of which a worker is killed, at random moments.
        network: memory of Flink's workers for exchanges between tasks; 128m is what Flink gives one of default size.
    """

    engines: str
    input: str
    kind: Literal["flink", "spark"] = "flink"
    image_size: int = 64
    kills: int = 0
    network: str = "128m"


def run(arguments: Arguments) -> int:
    """Measures, and prints a line for each job; returns the exit code."""
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    all_equal = True
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)

        def job(name: str, engine: Engine | None, fail_after: float | None = None) -> float:
            nonlocal all_equal
            flags = [
                "--input",
                arguments.input,
                "--output",
                str(root / name),
                "--image_size",
                f"{arguments.image_size}",
            ]
            began = time.monotonic()
            code, said = run_job("data_prep.images_to_tfrecords", flags, engine, fail_after)
            seconds = time.monotonic() - began
            is_equal = code == 0 and read_all(root / name) == read_all(root / "local")
            all_equal &= is_equal
            line = f"{name:20} {seconds:6.1f} s  {'equal' if is_equal else f'NOT EQUAL, exit code {code}'}"
            if engine and engine.kind == "flink":
                known = engine.jobs()[-1]
                line += f"  {known['tasks']['total']} tasks, {known['duration'] / 1000:.1f} s in Flink, "
                line += f"{len(known['exceptions'])} failures"
            print(line if code == 0 else f"{line}\n{said[-2000:]}", flush=True)
            return seconds

        job("local", None)
        script = Path(arguments.engines).resolve() / "engine"
        with Engine(script, arguments.kind, root / "engine", arguments.network) as engine:
            seconds = min(job(name, engine) for name in ("first", "second"))
            # Not the last moments: the job must still run.
            for number, moment in enumerate(moments(arguments.kills, 0.8 * seconds)):
                job(f"{number} killed at {moment:.1f} s", engine, moment)
            print(f"lines on network buffers: {engine.logs().count('Insufficient number of network buffers')}")
    return 0 if all_equal else 1


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.partition("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
