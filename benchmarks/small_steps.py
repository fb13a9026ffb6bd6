"""How many steps a second small networks train, with one step and with several in a call of the compiled graph.

    python -m benchmarks.small_steps --data work/known_factors/data [--steps_per_call 10] [--steps 200] [--turns 3]

Trains the networks of `make known-factors` by the pieces of training: its reader, its compiled steps, and its
measurements, closed as often as the preset writes them. Summaries and checkpoints are left out. One process trains
both ways in turns, so that whatever else the machine does meets both.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.machine import processor
from stargan_tf.base import command_line
from stargan_tf.base.progress import Progress
from stargan_tf.config import Config, preset, resolve

PROGRAM = "python -m benchmarks.small_steps"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        data: data directory.
        preset: settings of the training.
        steps_per_call: what one step a call is compared with.
        steps: timed steps of a turn.
        turns: how often both are timed.
    """

    data: str
    preset: str = "known_factors"
    steps_per_call: int = 10
    steps: int = 200
    turns: int = 3


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    with command_line.quiet_start():
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.training.distribution import create_strategy
        from stargan_tf.training.runtime import begin_soon, configure

        config = preset(arguments.preset)
        configure(config.training)
        data = open_data_directory(Path(arguments.data))
        begin_soon(data.image_size)
        config = resolve(config, data.domains, data.image_size)
        strategy = create_strategy(devices=1)
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}")
    rates: dict[int, list[float]] = {1: [], arguments.steps_per_call: []}
    trainings = {}
    with Progress(len(rates) * (1 + arguments.turns), "measuring", "turns") as bar:
        for per_call in rates:
            settings = replace(config.training, steps_per_call=per_call)
            trainings[per_call] = _training(replace(config, training=settings), data, strategy)
            trainings[per_call](settings.log_every)  # compiles
            bar.update()
        for _ in range(arguments.turns):
            for per_call, train in trainings.items():
                start = time.perf_counter()
                train(arguments.steps)
                rates[per_call].append(arguments.steps / (time.perf_counter() - start))
                bar.update()
    print(f"{'steps a call':>12}{'steps/s':>10}{'s/step':>10}{'slowest':>10}{'fastest':>10}")
    for per_call, values in rates.items():
        median = statistics.median(values)
        print(f"{per_call:>12}{median:>10.2f}{1 / median:>10.4f}{min(values):>10.2f}{max(values):>10.2f}")
    ratio = statistics.median(many / one for one, many in zip(*rates.values(), strict=True))
    print(f"{arguments.steps_per_call} steps a call are {ratio:.3f} times as fast (median of the turns' ratios)")


def _training(config: Config, data, strategy) -> Callable[[int], None]:
    """Starts a training; returns a function that goes on with it for a number of steps."""
    from stargan_tf.data.input_pipeline import training_dataset
    from stargan_tf.runs.state import create_state
    from stargan_tf.training.calls import compile_steps
    from stargan_tf.training.distribution import distribute
    from stargan_tf.training.hooks.measurements import Measurements

    with strategy.scope():
        state = create_state(config)
    batches = iter(
        distribute(
            strategy,
            config.input.batch_size,
            lambda worker, count: training_dataset(data, config.input, config.training.seed, 0, worker, count),
        )
    )
    iterate, measurements, settings = compile_steps(strategy, state, config), Measurements(config), config.training

    def train(steps: int) -> None:
        done = 0
        while done < steps:
            count = min(settings.steps_per_call, steps - done, settings.log_every - done % settings.log_every)
            with measurements.phase("step"):
                measurements.add(done + 1, iterate(batches, count))
            done += count
            if done % settings.log_every == 0 or done == steps:
                measurements.close()

    return train


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
