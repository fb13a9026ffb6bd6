"""Where the seconds to the first step of a training go, and what Grappler's rewriting of the graph takes and gives.

    python -m benchmarks.first_step [--preset photos_64] [--image_size 64] [--precision mixed_bfloat16] [--turns 2]

Each measurement is a process of its own, as a training is: with and without the rewriting in turns, so that whatever
else the machine does meets both. The images are made here.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from benchmarks import made_data, own_process
from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line
from stargan_tf.base.progress import Progress
from stargan_tf.config import preset, resolve

PROGRAM = "python -m benchmarks.first_step"
DOMAINS, IMAGES = ("one", "two", "three"), 16
PARTS = ("imports", "networks and data", "tracing", "first run", "to the first step", "a step", "peak MB")


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        preset: settings of the training.
        image_size: height and width of the images in pixels.
        batch_size: in place of the preset's.
        precision: float32 or mixed_bfloat16.
        steps: that are timed after the first one; the median counts.
        turns: how often both ways are measured.
        data: data directory; of one measurement, in its process.
        rewritten: whether that measurement has Grappler rewrite the graph.
    """

    preset: str = "photos_64"
    image_size: int = 64
    batch_size: int | None = None
    precision: str = "float32"
    steps: int = 5
    turns: int = 2
    data: str | None = None
    rewritten: bool | None = None


def run(arguments: Arguments) -> None:
    """Measures, and prints a table, or in a process of its own a line of JSON."""
    if arguments.data is not None:
        print(json.dumps(_measure(arguments, Path(arguments.data))))
        return
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}")
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        data = _make_data(Path(folder), arguments.image_size)
        with Progress(arguments.turns * len(found), "measuring", "processes") as bar:
            for _ in range(arguments.turns):
                for rewritten, measured in found.items():
                    changes = {"data": data, "rewritten": rewritten}
                    measured.append(own_process.measure("benchmarks.first_step", arguments, **changes))
                    bar.update()
    rows = {
        "rewritten": lambda part: statistics.median(turn[part] for turn in found[True]),
        "left as it is": lambda part: statistics.median(turn[part] for turn in found[False]),
        "ratio": lambda part: statistics.median(
            left[part] / rewritten[part] for rewritten, left in zip(found[True], found[False], strict=True)
        ),
    }
    print(f"{'seconds, medians':<18}" + "".join(f"{part:>19}" for part in PARTS))
    for name, value in rows.items():
        print(f"{name:<18}" + "".join(f"{value(part):>19.2f}" for part in PARTS))


def _make_data(folder: Path, image_size: int) -> Path:
    files = []
    for label, domain in enumerate(DOMAINS):
        (folder / domain).mkdir()
        paths = [folder / domain / f"{number}.jpg" for number in range(IMAGES)]
        for number, path in enumerate(paths):
            path.write_bytes(made_data.photograph(label * IMAGES + number, image_size))
        files.append([str(path) for path in paths])
    return made_data.write_records(files, (image_size, image_size), decoded=False, parent=folder)


def _measure(arguments: Arguments, directory: Path) -> dict[str, float]:
    times = [time.perf_counter()]
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.data.input_pipeline import training_dataset
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.runs.state import create_state
        from stargan_tf.training import runtime
        from stargan_tf.training.calls import compile_steps
        from stargan_tf.training.distribution import create_strategy, distribute

        config = preset(arguments.preset)
        config = replace(config, training=replace(config.training, precision=arguments.precision, steps_per_call=1))
        if arguments.batch_size is not None:
            config = replace(config, input=replace(config.input, batch_size=arguments.batch_size))
        runtime.configure(config.training)
        if not arguments.rewritten:
            runtime.leave_graphs_as_they_are()
        strategy = create_strategy(devices=1)
    times.append(time.perf_counter())

    data = open_data_directory(directory)
    config = resolve(config, data.domains, data.image_size, data.image_config)
    with strategy.scope():
        state = create_state(config)

    def dataset(worker: int, count: int) -> tf.data.Dataset:
        return training_dataset(data, config.input, config.training.seed, 0, worker, count)

    batches = iter(distribute(strategy, config.input.batch_size, dataset))
    times.append(time.perf_counter())

    iterate = compile_steps(strategy, state, config)
    step = tf.function(lambda: iterate(batches, 1).values, autograph=False).get_concrete_function()
    times.append(time.perf_counter())

    for _ in range(1 + arguments.steps):
        step().numpy()  # waits for the device
        times.append(time.perf_counter())
    imported, built, traced, first, *steps = (end - start for start, end in pairwise(times))
    peak = peak_memory() / 2**20
    values = (imported, built, traced, first, times[4] - times[0], statistics.median(steps), peak)
    return dict(zip(PARTS, values, strict=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
