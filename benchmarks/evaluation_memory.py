"""The memory of an evaluation does not grow with the number of images.

    python -m benchmarks.evaluation_memory --output DIR [--images 500,5000]

For each size it draws a data set with so many training images of each domain and a tenth as many validation images, so
that each task compares so many translations with so many real images, and evaluates small networks with random weights
on it: each time in a process of its own, whose peak of memory is printed, with features of real images not cached.
"""

import json
import resource
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import own_process
from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError

PROGRAM = "python -m benchmarks.evaluation_memory"

# Peaks may differ by so much.
_LIMIT = 0.1


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        output: directory for data, run and cache; made if missing, what is there is used again.
        images: training images of each domain, separated by commas.
        image_size: side in pixels.
        mode: as of `stargan_tf.evaluate`.
        measure: evaluate this one size here and print JSON, or with `train`, train its classifier; used by the
            benchmark itself.
        train: see `measure`.
    """

    output: str
    images: str = "500,5000"
    image_size: int = 32
    mode: str = "latent,reference"
    measure: int | None = None
    train: bool = False


def run(arguments: Arguments) -> int:
    """Measures all sizes and prints a table; returns 1 if memory grows."""
    if arguments.measure is not None:
        print(json.dumps(_measure(arguments)))
        return 0
    try:
        sizes = [int(size) for size in arguments.images.split(",")]
    except ValueError:
        raise UserError(f"--images is {arguments.images!r}; it must be numbers like 500,5000") from None
    peaks = []
    for size in sizes:
        _make_data(arguments, size)
        own_process.measure("benchmarks.evaluation_memory", arguments, measure=size, train=True)
        measured = own_process.measure("benchmarks.evaluation_memory", arguments, measure=size)
        peaks.append(measured["peak_mb"])
        print(
            f"{size:6} images: peak {measured['peak_mb']:.0f} MB, of which {measured['before_mb']:.0f} MB before the "
            f"evaluation; {measured['translations']} translations in {measured['seconds']:.0f} s",
            flush=True,
        )
    growth = max(peaks) / min(peaks) - 1
    print(f"peaks differ by {growth:.1%}, of which {_LIMIT:.0%} are allowed")
    return 1 if growth > _LIMIT else 0


def _make_data(arguments: Arguments, size: int) -> None:
    from data_prep import images_to_tfrecords, synthetic

    directory = Path(arguments.output) / str(size)
    if (directory / "data").is_dir():
        return
    side = arguments.image_size
    synthetic.write(synthetic.Arguments(str(directory / "images"), side, size, max(size // 10, 1)))
    images_to_tfrecords.run(
        images_to_tfrecords.Arguments(
            input=str(directory / "images"), output=str(directory / "data"), image_size=side, encoding="png"
        )
    )


def _measure(arguments: Arguments) -> dict[str, float]:
    directory = Path(arguments.output) / str(arguments.measure)
    with command_line.quiet_start():
        from stargan_tf import config as configuration
        from stargan_tf import evaluate
        from stargan_tf.config import Config, ModelConfig
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.metrics.loading import load_extractor
        from stargan_tf.runs import run_directory
        from stargan_tf.runs.checkpoints import save_ema
        from stargan_tf.runs.state import build_ema

        data = open_data_directory(directory / "data")
    if arguments.train:
        load_extractor("classifier", data, directory / "cache")
        return {}
    run = directory / "run"
    if not run_directory.is_run(run):
        model = ModelConfig(latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8)
        config = configuration.resolve(Config(model=model), data.domains, data.image_size)
        run.mkdir()
        configuration.save(config, run / run_directory.CONFIG_FILE)
        save_ema(build_ema(config.model, "float32"), 1, config, run)
    shutil.rmtree(directory / "cache" / "real_features", ignore_errors=True)
    before, start = _peak_mb(), time.perf_counter()
    with command_line.quiet_start():
        evaluate.run(
            evaluate.Arguments(run=str(run), data=str(data.path), mode=arguments.mode, cache=str(directory / "cache"))
        )
    modes, domains = arguments.mode.count(",") + 1, len(data.domains)
    sources = sum(count for split, count in data.num_examples.items() if split.startswith("val"))
    return {
        "before_mb": before,
        "peak_mb": _peak_mb(),
        "seconds": time.perf_counter() - start,
        "translations": sources * (domains - 1) * 10 * modes,
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
