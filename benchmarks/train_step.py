"""How long a training iteration takes, in the plain and in the fused form, and how much memory.

    python -m benchmarks.train_step [--repetitions 7]

Each line is measured in a process of its own, with random weights and images, which take as long as others.
"""

import contextlib
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import own_process
from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.train_step"

# Of the published implementation, on this kind of machine (256 px, full width, 3 domains, batch 1, float32), and what
# this one is to reach, for the default sizes.
PUBLISHED_SECONDS, PUBLISHED_GB = 20.9, 4.5
TARGET_SECONDS = {"float32": 10.0, "mixed_bfloat16": 6.0}
TARGET_GB = 3.5


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        image_size: side of the images in pixels.
        base_channels: channels at full resolution, by default the published 2^14 / side.
        max_channels: where the doubling of channels stops.
        batch_size: images in a step.
        repetitions: timed steps; the first one, which compiles, is not timed.
        precision: float32 or mixed_bfloat16; by default both.
        fused: of the two forms, the one to measure; by default both.
        microbatches: parts of the batch that are computed one after the other.
        rematerialize: compute the insides of blocks again in the backward pass.
        memory_pool: keep memory that tensors gave back for others, as TensorFlow does.
        jit_compile: let XLA compile the gradients.
        single: measure in this process, and print the result as JSON.
    """

    image_size: int = 256
    base_channels: int | None = None
    max_channels: int = 512
    batch_size: int = 1
    repetitions: int = 7
    precision: Literal["float32", "mixed_bfloat16"] | None = None
    fused: bool | None = None
    microbatches: int = 1
    rematerialize: bool = False
    memory_pool: bool = True
    jit_compile: bool = False
    single: bool = False


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    if arguments.single:
        print(json.dumps(measure(arguments)))
        return
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}")
    print(f"{'':26}{'s/iteration':>12}{'target':>8}{'images/s':>10}{'peak GB':>9}{'target':>8}", end="")
    print(f"{'GFLOP/image':>13}{'GFLOP/s':>9}{'of machine':>12}")
    published = (arguments.image_size, arguments.base_channels, arguments.max_channels, arguments.batch_size)
    as_published = published == (256, None, 512, 1)
    if as_published:
        print(f"{'published, float32':26}{PUBLISHED_SECONDS:>12.2f}{'':8}", end="")
        print(f"{1 / PUBLISHED_SECONDS:>10.3f}{PUBLISHED_GB:>9.2f}")
    for precision in TARGET_SECONDS if arguments.precision is None else (arguments.precision,):
        for fused in (False, True) if arguments.fused is None else (arguments.fused,):
            result = own_process.measure(
                "benchmarks.train_step", arguments, single=True, precision=precision, fused=fused
            )
            rate = result["gflop"] / result["seconds"]
            seconds, gb = (f"{TARGET_SECONDS[precision]:.1f}", f"{TARGET_GB}") if as_published and fused else ("", "")
            print(f"{precision + (', fused' if fused else ', plain'):26}{result['seconds']:>12.2f}{seconds:>8}", end="")
            print(f"{arguments.batch_size / result['seconds']:>10.3f}{result['peak_gb']:>9.2f}{gb:>8}", end="")
            print(f"{result['gflop'] / arguments.batch_size:>13.0f}{rate:>9.0f}", end="")
            print(f"{100 * rate / result['machine_rate']:>10.0f} %", flush=True)


def measure(arguments: Arguments) -> dict[str, float]:
    """Measures one line.

    Returns:
        Seconds of an iteration (median), peak memory in GB, convolution GFLOP of an iteration, and the
        machine's own rate of convolution in GFLOP/s, half measured before and half after.
    """
    iterate, batch = prepare(arguments)
    import tensorflow as tf

    from benchmarks import convolutions

    dtype = tf.bfloat16 if arguments.precision == "mixed_bfloat16" else tf.float32
    rates = [convolutions.machine_rate(dtype)]
    seconds = [timed(iterate, batch) for _ in range(arguments.repetitions)]
    rates.append(convolutions.machine_rate(dtype))
    return {
        "seconds": statistics.median(seconds),
        "peak_gb": peak_memory() / 1e9,
        # All updates are loops over the parts, of which one turn is counted.
        "gflop": convolutions.gflop(iterate.get_concrete_function(batch)) * arguments.microbatches,
        "machine_rate": statistics.mean(rates),
    }


def prepare(arguments: Arguments) -> tuple[Any, dict[str, Any]]:
    """Imports TensorFlow, builds the networks and does the first iteration, which compiles.

    Returns:
        One iteration as a function, and a batch of random images for it.
    """
    if not arguments.memory_pool:
        from stargan_tf.base.process import freed_memory

        freed_memory.keep_no_pool()
    with command_line.quiet_start():
        import numpy as np
        import tensorflow as tf

        from stargan_tf.config import Config, DataConfig, LossConfig, ModelConfig, RunConfig
        from stargan_tf.runs.state import create_state
        from stargan_tf.training.distribution import create_strategy
        from stargan_tf.training.iteration import compile_iteration

        strategy = create_strategy(devices=1)
    model = ModelConfig(
        image_size=arguments.image_size,
        num_domains=3,
        base_channels=arguments.base_channels,
        max_channels=arguments.max_channels,
        fused=arguments.fused,
    )
    config = Config(
        domains=("cat", "dog", "wild"),
        model=model,
        losses=LossConfig(lambda_ds=2.0),
        input=DataConfig(batch_size=arguments.batch_size),
        training=RunConfig(
            precision=arguments.precision,
            microbatches=arguments.microbatches,
            rematerialize=arguments.rematerialize,
            jit_compile=arguments.jit_compile,
        ),
    )
    with strategy.scope():
        state = create_state(config)
    iterate = compile_iteration(strategy, state, config)
    random = np.random.default_rng(0)
    shape = (arguments.batch_size, *model.size, 3)
    names = ("source", "reference", "reference_2")
    batch = {name: tf.constant(random.integers(0, 256, shape, np.uint8)) for name in names}
    domain = tf.zeros(arguments.batch_size, tf.int32)
    batch |= {"source_domain": domain, "target_domain": domain + 1}
    with _as_train_begins():
        timed(iterate, batch)
    return iterate, batch


def timed(iterate: Any, batch: dict[str, Any]) -> float:
    """Does one iteration and returns its seconds."""
    start = time.perf_counter()
    float(iterate(batch).values[0, 0])
    return time.perf_counter() - start


def _as_train_begins() -> contextlib.AbstractContextManager[None]:
    """Returns what `train` puts around the first iteration; versions up to 3ef45f1 put nothing there."""
    try:
        from stargan_tf.base.process import freed_memory
    except ImportError:
        return contextlib.nullcontext()
    return freed_memory.given_back()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
