"""What the face network costs: time and memory of training and translation with and without it.

    python -m benchmarks.face_masks [--image_size 256] [--base_channels N] [--steps 20]

Each line is a process of its own, so that its peak memory is its own. The networks have random weights, which takes as
long as trained ones. Lines: without the high-pass skip, with it but without masks, with masks; each in float32 and in
bfloat16.
"""

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks import own_process
from benchmarks.machine import processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.face_masks"

_LINES = (
    ("no high-pass skip", 0.0, False),
    ("high-pass skip, no masks", 1.0, False),
    ("high-pass skip and masks", 1.0, True),
)
_PRECISIONS = ("float32", "mixed_bfloat16")


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        image_size: side of the images in pixels.
        base_channels: channels at full resolution, by default the published 2^14 / side.
        max_channels: where the doubling of channels stops.
        batch_size: images in a step.
        steps: timed steps; the first one, which compiles, is not timed.
        precision: float32 or mixed_bfloat16; by default both.
        line: of the three, the one to measure in this process; by default all, each in a process of its own.
    """

    image_size: int = 256
    base_channels: int | None = None
    max_channels: int = 512
    batch_size: int = 1
    steps: int = 20
    precision: Literal["float32", "mixed_bfloat16"] | None = None
    line: int | None = None


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    if arguments.line is not None:
        print(json.dumps(measure(arguments)))
        return
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}")
    print(f"{'':44}{'s/step, median':>16}{'s/translation':>16}{'peak GB':>10}")
    for precision in _PRECISIONS if arguments.precision is None else (arguments.precision,):
        for index, (title, _, _) in enumerate(_LINES):
            result = own_process.measure("benchmarks.face_masks", arguments, line=index, precision=precision)
            print(
                f"{precision + ', ' + title:44}{result['step']:>16.2f}{result['translation']:>16.3f}"
                f"{result['peak_gb']:>10.2f}",
                flush=True,
            )


def measure(arguments: Arguments) -> dict[str, float]:
    """Measures one line.

    Returns:
        Seconds of a step and of a translation of one image (medians), and peak memory of the process in GB.
    """
    with command_line.quiet_start():
        import numpy as np
        import tensorflow as tf

        from stargan_tf.config import Config, DataConfig, ModelConfig, RunConfig
        from stargan_tf.inference.translator import Translator
        from stargan_tf.networks.face_network import FaceNetwork
        from stargan_tf.runs.state import create_state
        from stargan_tf.training.distribution import create_strategy
        from stargan_tf.training.iteration import compile_iteration

        strategy = create_strategy(devices=1)
    _, w_hpf, with_masks = _LINES[arguments.line]
    model = ModelConfig(
        image_size=arguments.image_size,
        num_domains=2,
        base_channels=arguments.base_channels,
        max_channels=arguments.max_channels,
        w_hpf=w_hpf,
        face_masks=with_masks,
    )
    config = Config(
        domains=("female", "male"),
        model=model,
        input=DataConfig(batch_size=arguments.batch_size),
        training=RunConfig(precision=arguments.precision),
    )
    with strategy.scope():
        state = create_state(config)
        network = FaceNetwork(dtype=arguments.precision) if with_masks else None
    iterate = compile_iteration(strategy, state, config, network)
    random = np.random.default_rng(0)
    shape = (arguments.batch_size, *model.size, 3)
    source, reference, reference_2 = (tf.constant(random.integers(0, 256, shape, np.uint8)) for _ in range(3))
    domain = tf.zeros(arguments.batch_size, tf.int32)
    batch = {
        "source": source,
        "source_domain": domain,
        "reference": reference,
        "reference_2": reference_2,
        "target_domain": domain + 1,
    }
    steps = _times(lambda: float(iterate(batch).values[0, 0]), arguments.steps)
    translator = Translator(state.ema, config, batch_size=1, face_network=network)
    images = random.uniform(-1, 1, (1, *model.size, 3)).astype(np.float32)
    styles = np.zeros((1, model.style_dim), np.float32)
    translations = _times(lambda: translator.translate(images, styles), arguments.steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kibibytes on Linux
    return {"step": steps, "translation": translations, "peak_gb": peak / 1e9}


def _times(function, count: int) -> float:
    function()  # compiles
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
