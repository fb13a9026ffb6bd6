"""Whether a GPU computes the same, and how fast each way of training is there: one base case, one change at a time.

    python -m benchmarks.gpu [--all] [--devices N] [--output gpu.json]

prints the machine, parity with the published networks' numbers, a row for each way of training (published batch of 8,
256 px), and the time of translations. Each case is a process of its own with a time limit: cases start and trace their
graphs side by side, but what is timed has the device for itself. Each result is printed at once and kept as JSON; what
does not fit into --budget is left out and named, the least important first.

It needs no Beam and makes its own data. Without a GPU it measures the CPU, which takes hours but with --tiny.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.base.writing import write_json

PROGRAM = "python -m benchmarks.gpu"

_COLUMNS = {
    "seconds": ("s/iteration", "{:.4f}"),
    "images_per_second": ("images/s", "{:.1f}"),
    "peak_gb": ("peak GB", "{:.2f}"),
    "waiting": ("waiting", "{:.1%}"),
    "first_seconds": ("first step, s", "{:.0f}"),
}


@dataclass(frozen=True)
class Case:
    """Something that is measured.

    Args:
        kind: machine, parity, training or translation: a function of `gpu_cases`.
        settings: its arguments.
        more: whether only --all measures it.
    """

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    more: bool = False


def _cases(devices: int, tiny: bool) -> dict[str, Case]:
    """Returns what is measured by name, the most important first."""
    parity = {
        f"{file}, {precision}": Case("parity", {"file": file, "precision": precision})
        for precision in ("float32", "float64")
        for file in (("r1",) if tiny else ("r1", "afhq_like_small"))
    }
    changes: dict[str, dict[str, Any]] = {
        "base: float32 with TF32": {},
        "mixed_bfloat16": {"precision": "mixed_bfloat16"},
        "TF32 off": {"tf32": False},
        "batch 32": {"batch_size": 32},
        "fused forms": {"fused": True},
        "XLA": {"jit_compile": True},
        "10 steps a call": {"steps_per_call": 10},
        "celeba_hq_256": {"preset": "celeba_hq_256"},
        "real data": {"real_data": True},
    }
    more: dict[str, dict[str, Any]] = {
        "mixed_bfloat16, batch 32": {"precision": "mixed_bfloat16", "batch_size": 32},
        "mixed_bfloat16, fused forms": {"precision": "mixed_bfloat16", "fused": True},
        "mixed_bfloat16, XLA": {"precision": "mixed_bfloat16", "jit_compile": True},
        "4 microbatches": {"microbatches": 4},
        "rematerialize": {"rematerialize": True},
        "deterministic": {"deterministic": True},
    }
    training = {name: Case("training", settings) for name, settings in changes.items()}
    training |= {
        f"{count} devices, batch {8 * count}": Case("training", {"devices": count, "batch_size": 8 * count})
        for count in range(2, devices + 1)
    }
    others = {name: Case("training", settings, more=True) for name, settings in more.items()}
    return {"machine": Case("machine"), **parity, **training, "translation": Case("translation"), **others}


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        all: measure the rest, too.
        devices: GPUs to scale to, with 8 images each.
        tiny: networks of 32 px, to try the benchmark itself.
        budget: seconds after which no case is started.
        limit: seconds that a case may take.
        side_by_side: cases that start at once; by default 3, or 1 with fewer than 8 processors.
        repetitions: timed iterations of a case.
        output: JSON file for the results, written anew after each of them.
        only: cases to measure, by their names.
        case: measure this one in this process, and print the result as JSON.
        turn: file that is locked while something is timed.
    """

    all: bool = False
    devices: PositiveInt = 1
    tiny: bool = False
    budget: PositiveInt = 290
    limit: PositiveInt = 180
    side_by_side: PositiveInt | None = None
    repetitions: PositiveInt = 20
    output: str | None = None
    only: list[str] | None = None
    case: str | None = None
    turn: str | None = None


def run(arguments: Arguments) -> int:
    """Measures, and prints a table; returns 1 if a case failed."""
    if arguments.case is not None:
        from benchmarks import gpu_cases

        print(
            json.dumps(gpu_cases.measure(_cases(arguments.devices, arguments.tiny)[arguments.case], arguments)),
            flush=True,
        )
        return 0
    cases = _cases(arguments.devices, arguments.tiny)
    wanted = [name for name, case in cases.items() if arguments.all or not case.more]
    if arguments.only is not None:
        if unknown := set(arguments.only) - set(cases):
            raise UserError(f"--only has {', '.join(sorted(unknown))}; there is {'; '.join(cases)}")
        wanted = [name for name in cases if name in arguments.only]
    results: dict[str, dict[str, Any]] = {}
    for name, result in _measured(wanted, arguments):
        results[name] = result
        _print(name, cases[name], result, first=_is_first(cases, results, name))
        if arguments.output is not None:
            write_json(Path(arguments.output), results)
    left_out = [name for name in wanted if name not in results]
    if left_out:
        print(f"left out after {arguments.budget} s (--budget): {'; '.join(left_out)}")
    return int(any("failed" in result for result in results.values()))


def _measured(names: Sequence[str], arguments: Arguments) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the results in the order in which they come."""
    end = time.monotonic() + arguments.budget
    count = arguments.side_by_side or (3 if len(os.sched_getaffinity(0)) >= 8 else 1)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(count) as threads:
        turn = Path(directory) / "turn"
        turn.touch()
        futures = [threads.submit(_in_process_of_its_own, name, arguments, turn, end) for name in names]
        for name, future in zip(names, futures, strict=True):
            if (result := future.result()) is not None:
                yield name, result


def _in_process_of_its_own(name: str, arguments: Arguments, turn: Path, end: float) -> dict[str, Any] | None:
    if time.monotonic() >= end:
        return None
    values = vars(arguments) | {"case": name, "turn": str(turn), "output": None, "only": None}
    flags = [f"--{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in values.items()]
    command = [sys.executable, "-m", "benchmarks.gpu", *(flag for flag in flags if not flag.endswith("=None"))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=arguments.limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {arguments.limit} s"}
    if done.returncode:
        return {"failed": " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def _is_first(cases: Mapping[str, Case], results: Mapping[str, Any], name: str) -> bool:
    return not any(cases[other].kind == cases[name].kind for other in results if other != name)


def _print(name: str, case: Case, result: Mapping[str, Any], first: bool) -> None:
    if "failed" in result:
        print(f"{name:36}failed: {result['failed']}", flush=True)
    elif case.kind == "training":
        if first:
            print(f"\n{'training':36}" + "".join(f"{title:>15}" for title, _ in _COLUMNS.values()))
        cells = (form.format(result[key]) if result.get(key) is not None else "" for key, (_, form) in _COLUMNS.items())
        print(f"{name:36}" + "".join(f"{cell:>15}" for cell in cells), flush=True)
    else:
        if first:
            print()
        for key, value in result.items():
            print(f"{f'{name}, {key}':48}" + (f"{value:.4g}" if isinstance(value, float) else str(value)), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
