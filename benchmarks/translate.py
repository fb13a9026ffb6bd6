"""How long it takes to translate one image, in the plain and in the fused form, and how much memory.

    python -m benchmarks.translate [--repetitions 15]

Each line is measured in a process of its own, with random weights, which take as long as others.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks import own_process
from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.translate"

# Of the published implementation, on this kind of machine (256 px, full width, float32), and what this one is to reach.
PUBLISHED_SECONDS = 0.74
TARGET_SECONDS = {"float32": 0.37, "bfloat16": 0.20}


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        image_size: side of the images in pixels.
        repetitions: timed translations; the first one, which compiles, is not timed.
        precision: float32 or bfloat16; by default both.
        fused: of the two forms, the one to measure; by default both.
        single: measure in this process, and print the result as JSON.
    """

    image_size: int = 256
    repetitions: int = 15
    precision: Literal["float32", "bfloat16"] | None = None
    fused: bool | None = None
    single: bool = False


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    if arguments.single:
        print(json.dumps(measure(arguments)))
        return
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}")
    print(f"{'':26}{'s/image':>12}{'target':>8}{'images/s':>10}{'peak GB':>9}", end="")
    print(f"{'GFLOP/image':>13}{'GFLOP/s':>9}{'of machine':>12}")
    as_published = arguments.image_size == 256
    if as_published:
        print(f"{'published, float32':26}{PUBLISHED_SECONDS:>12.3f}{'':8}{1 / PUBLISHED_SECONDS:>10.2f}")
    for precision in TARGET_SECONDS if arguments.precision is None else (arguments.precision,):
        for fused in (False, True) if arguments.fused is None else (arguments.fused,):
            result = own_process.measure(
                "benchmarks.translate", arguments, single=True, precision=precision, fused=fused
            )
            rate = result["gflop"] / result["seconds"]
            target = f"{TARGET_SECONDS[precision]:.2f}" if as_published and fused else ""
            print(f"{precision + (', fused' if fused else ', plain'):26}{result['seconds']:>12.3f}{target:>8}", end="")
            print(f"{1 / result['seconds']:>10.2f}{result['peak_gb']:>9.2f}{result['gflop']:>13.0f}", end="")
            print(f"{rate:>9.0f}{100 * rate / result['machine_rate']:>10.0f} %", flush=True)


def measure(arguments: Arguments) -> dict[str, float]:
    """Measures one line.

    Returns:
        Seconds of a translation with an encoding of its own (median), peak memory in GB, convolution
        GFLOP of it, and the machine's own rate of convolution in GFLOP/s, half measured before and half after.
    """
    with command_line.quiet_start():
        import numpy as np
        import tensorflow as tf

        from benchmarks import convolutions
        from stargan_tf import networks
        from stargan_tf.config import ModelConfig

    model = ModelConfig(image_size=arguments.image_size, num_domains=3, fused=arguments.fused)
    generator = networks.build(model, arguments.precision, with_discriminator=False).generator
    random = np.random.default_rng(0)
    image = tf.constant(random.uniform(-1, 1, (1, *model.size, 3)), tf.float32)
    style = tf.constant(random.standard_normal((1, model.style_dim)), tf.float32)
    translate = tf.function(lambda image, style: generator(image, style), autograph=False)

    translate(image, style).numpy()  # compiles
    dtype = tf.as_dtype(arguments.precision)
    rates, seconds = [convolutions.machine_rate(dtype)], []
    for _ in range(arguments.repetitions):
        start = time.perf_counter()
        translate(image, style).numpy()
        seconds.append(time.perf_counter() - start)
    rates.append(convolutions.machine_rate(dtype))
    return {
        "seconds": statistics.median(seconds),
        "peak_gb": peak_memory() / 1e9,
        "gflop": convolutions.gflop(translate.get_concrete_function(image, style)),
        "machine_rate": statistics.mean(rates),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
