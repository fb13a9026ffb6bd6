"""Convolutions of one image and their kernels' gradients, by TensorFlow's operations and as matrix products, in turns.

    python -m benchmarks.few_pixels [--repetitions 9]

`stargan_tf/networks/few_pixels.py` takes the product up to a number of pixels that this decides.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.machine import processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.few_pixels"

# Side of the larger of input and output in pixels, channels of both, side of the kernel (4 has stride 2).
_SHAPES = (
    (8, 512, 512, 3),
    (16, 256, 256, 3),
    (16, 512, 512, 3),
    (32, 256, 512, 3),
    (32, 512, 512, 3),
    (32, 512, 512, 4),
    (64, 256, 256, 3),
    (64, 256, 256, 4),
    (64, 256, 512, 4),
    (128, 128, 128, 4),
)


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        repetitions: turns of each form, of which the median counts.
    """

    repetitions: int = 9


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    with command_line.quiet_start():
        import tensorflow as tf
    print(f"{processor()}, {os.cpu_count()} CPUs; milliseconds, medians of {arguments.repetitions} turns")
    print(f"{'':40}{'convolution':>13}{'product':>9}{'gradient':>11}{'product':>9}")
    for dtype in (tf.float32, tf.bfloat16):
        for shape in _SHAPES:
            side, channels, filters, kernel = shape
            print(f"{dtype.name:9} {side:4} px, {channels} to {filters}, {kernel}x{kernel:<9}", end="")
            for forms in _forms(shape, dtype):
                for milliseconds, width in zip(_in_turns(forms, arguments.repetitions), (13, 9), strict=True):
                    print(f"{milliseconds:>{width}.1f}", end="", flush=True)
            print()


def _forms(shape: tuple[int, ...], dtype: Any) -> list[list[Callable[[], Any]]]:
    """Returns two forms of a convolution, then of its kernel's gradient."""
    import tensorflow as tf

    from stargan_tf.networks import few_pixels

    side, channels, filters, kernel_side = shape
    out = side // (kernel_side - 2)
    x = tf.cast(tf.random.stateless_normal((1, side, side, channels), (0, 1)), dtype)
    kernel = tf.cast(tf.random.stateless_normal((kernel_side, kernel_side, channels, filters), (0, 2)), dtype)
    upstream = tf.cast(tf.random.stateless_normal((1, out, out, filters), (0, 3)), dtype)

    def gradient(x: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            y = few_pixels.convolve(x, kernel)
        return tape.gradient(y, kernel, upstream)

    found = []
    for name, compute in ("_CONVOLUTION_PIXELS", few_pixels.convolve), ("_KERNEL_GRADIENT_PIXELS", gradient):
        limits, forms = getattr(few_pixels, name), []
        before = dict(limits)
        for most in (0, 2**30):
            limits.update(dict.fromkeys(limits, most))
            form = tf.function(compute, autograph=False).get_concrete_function(x, kernel)
            forms.append(lambda form=form: form(x, kernel))
        limits.update(before)
        found.append(forms)
    return found


def _in_turns(forms: Sequence[Callable[[], Any]], repetitions: int) -> list[float]:
    """Returns the median milliseconds of each form."""
    seconds: list[list[float]] = [[] for _ in forms]
    for turn in range(repetitions + 2):
        for taken, form in zip(seconds, forms, strict=True):
            start = time.perf_counter()
            form().numpy()
            if turn >= 2:  # the first ones build what oneDNN keeps
                taken.append(time.perf_counter() - start)
    return [1000 * statistics.median(taken) for taken in seconds]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
