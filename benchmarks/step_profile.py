"""Where the time of a training iteration goes: by kind of operation, and inside convolutions by what oneDNN does.

    python -m benchmarks.step_profile [--precision mixed_bfloat16] [--image_size 256]

Measured on the CPU, with random weights and images. Operations that run at the same time count each, so the sum may be
more than the time of the iteration.
"""

import json
import os
import re
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks import own_process, train_step
from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.step_profile"

# What operations do, by how TensorFlow names them, in its graphs and after oneDNN's operations have taken their places.
_KINDS = {
    "convolution": r"Conv2D(?!Backprop)",
    "gradient to the convolution's input": r"Conv2DBackpropInput",
    "gradient to the convolution's kernel": r"Conv2DBackpropFilter",
    "normalization": r"FusedBatchNorm",
    "pooling": r"Pool",
    "optimizer and moving average": r"Resource|Assign",
    "casts": r"Cast",
    "moving data": r"Transpose|Reshape|Concat|Slice|Split|Pad|Tile|BroadcastTo|Pack|Identity|Copy",
    "sums": r"Sum|Mean|L2Loss|BiasAddGrad",
    "element by element": r"Add|Sub|Mul|Div|Relu|Abs|Sign|Sqrt|Neg|Select|Square|Softplus|Sigmoid|Exp|Zeros",
    "matrix product": r"MatMul",
}
_MARK = "one iteration begins or ends here"


@dataclass(frozen=True)
class Arguments(train_step.Arguments):
    """The command line: that of `benchmarks.train_step`, whose iteration it is.

    Args:
        precision: float32 or mixed_bfloat16.
        fused: the form to measure.
        repetitions: timed steps before the one that is looked into.
        operations: how many kinds of TensorFlow's operations are listed, those that take longest.
    """

    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    fused: bool = True
    repetitions: int = 3
    operations: int = 15


def run(arguments: Arguments) -> None:
    """Measures, and prints tables."""
    if arguments.single:
        _measure(arguments)
        return
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    told = own_process.output("benchmarks.step_profile", arguments, {"ONEDNN_VERBOSE": "1"}, single=True)
    _, iteration, found = told.split(_MARK)
    measured = json.loads(found)
    print(f"an iteration takes {measured['seconds']:.2f} s, the peak of memory is {measured['peak_gb']:.2f} GB")
    operations = {name: (calls, seconds) for name, calls, seconds in measured["operations"]}
    _print("operations of TensorFlow", _sums((_kind(name), *value) for name, value in operations.items()))
    _print("those that take longest", operations, arguments.operations)
    _print("inside them, oneDNN", _sums(_primitives(iteration)))


def _kind(operation: str) -> str:
    matches = (kind for kind, pattern in reversed(_KINDS.items()) if re.search(pattern, operation))
    return next(matches, "others")


def _primitives(verbose: str) -> Iterable[tuple[str, int, float]]:
    """Yields what oneDNN did, each call with its seconds; see https://uxlfoundation.github.io/oneDNN/dev_guide_verbose.html."""
    for line in verbose.splitlines():
        fields = line.split(",")
        if fields[0] == "onednn_verbose" and "exec" in fields:
            kind, _, direction = fields[fields.index("exec") + 2 :][:3]
            yield kind if direction == "undef" else f"{kind} {direction}", 1, float(fields[-1]) / 1000


def _sums(calls: Iterable[tuple[str, int, float]]) -> dict[str, tuple[int, float]]:
    counts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for name, count, taken in calls:
        counts[name] += count
        seconds[name] += taken
    return {name: (counts[name], taken) for name, taken in seconds.items()}


def _print(title: str, rows: dict[str, tuple[int, float]], most: int | None = None) -> None:
    total = sum(seconds for _, seconds in rows.values())
    print(f"\n{title:<44}{'calls':>8}{'s':>9}{'share':>9}")
    for name, (calls, seconds) in sorted(rows.items(), key=lambda row: -row[1][1])[:most]:
        print(f"{name:<44}{calls:>8}{seconds:>9.3f}{seconds / total:>8.1%}")
    print(f"{'all':<44}{sum(calls for calls, _ in rows.values()):>8}{total:>9.3f}")


def _measure(arguments: Arguments) -> None:
    iterate, batch = train_step.prepare(arguments)
    import tensorflow as tf

    seconds = [train_step.timed(iterate, batch) for _ in range(arguments.repetitions)]
    peak = peak_memory() / 1e9
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            print(_MARK, flush=True)
            train_step.timed(iterate, batch)
            print(_MARK, flush=True)
        operations = _operations(next(Path(folder).rglob("*.xplane.pb")))
    print(json.dumps({"seconds": statistics.median(seconds), "peak_gb": peak, "operations": operations}))


def _operations(trace: Path) -> list[tuple[str, int, float]]:
    """Reads the kinds of operation, their calls and seconds from a trace of TensorFlow's profiler."""
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    taken = []
    for plane in XSpace.FromString(trace.read_bytes()).planes:
        # Operations are named `node:kind`; what calls other operations would count them twice.
        kinds = {number: data.display_name for number, data in plane.event_metadata.items() if data.display_name}
        taken += [
            (kinds[event.metadata_id], 1, event.duration_ps / 1e12)
            for line in plane.lines
            for event in line.events
            if event.metadata_id in kinds and not kinds[event.metadata_id].endswith("PartitionedCall")
        ]
    return [(kind, *value) for kind, value in _sums(taken).items()]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
