"""How fast training batches are read, beside a loader by Pillow on the same processors; and how long a step waits.

    python -m benchmarks.input_pipeline [--data DIR] [--turns 7]

Each turn reads the same number of batches in each way, one after the other; the figures are medians over the turns, the
ratios medians of the ratios within a turn. A batch has three images a row: a source and two references. Batches are
first of uint8, as they travel to a GPU, which scales them; then of float32 in [-1, 1]: the scaling that a training step
does on a machine without one is counted, on the same processors.
Without --data the images are made: seeded noise with the spectrum of photographs, about 21 kB a JPEG at 256 px.
Two processors should give 2,000 images per second of 256 px, more than one H100 can ask for.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks import pillow_loader
from benchmarks.machine import processor
from benchmarks.made_data import photograph, write_records
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.input_pipeline"

# After a turn loaders fill their queues; the next one must not pay for it, and the next of their own not profit by it.
_SETTLE_SECONDS = 1.0
_WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        data: data directory to read from; by default one is made.
        image_size: side of the images that are made, in pixels.
        images: how many are made, half of them in each of two domains.
        batch_size: rows of a batch.
        batches: batches that are read in a turn and counted, after a second in which they are not.
        turns: how often each way has its turn.
        workers: threads or processes of the Pillow loader; by default one for each processor.
        training_steps: steps of a small training to see how long it waits for data; 0 for none.
    """

    data: str | None = None
    image_size: int = 256
    images: int = 600
    batch_size: int = 8
    batches: int = 50
    turns: int = 7
    workers: int | None = None
    training_steps: int = 10


def run(arguments: Arguments) -> None:
    """Measures, and prints tables."""
    with command_line.quiet_start():
        from stargan_tf.config import DataConfig
        from stargan_tf.data.input_pipeline import training_dataset
        from stargan_tf.data.records import open_data_directory

    workers = arguments.workers or len(os.sched_getaffinity(0))
    config = DataConfig(batch_size=arguments.batch_size)
    with tempfile.TemporaryDirectory() as directory:
        files = _write_files(arguments, Path(directory) / "files")
        sizes = [Path(path).stat().st_size for paths in files for path in paths]
        with Image.open(files[0][0]) as image:
            image_size = image.size[::-1]
        encoded, decoded = (
            open_data_directory(write_records(files, image_size, decoded, Path(directory))) for decoded in (False, True)
        )
        print(f"{processor()}, {len(os.sched_getaffinity(0))} CPUs; {arguments}")
        print(
            f"{len(sizes)} images of {image_size[0]} x {image_size[1]} px, {np.mean(sizes) / 1e3:.1f} kB on average\n"
        )
        for scaled in (False, True):
            loader = pillow_loader.Loader(
                files,
                image_size,
                config.batch_size,
                config.crop_probability,
                config.crop_area,
                config.crop_ratio,
                config.flip_probability,
                scaled,
            )
            ways: dict[str, Iterator[None]] = {
                f"Pillow, {workers} threads": pillow_loader.by_threads(loader, workers),
                f"Pillow, {workers} processes": pillow_loader.by_processes(loader, workers),
            }
            for stored, data in (("JPEG", encoded), ("decoded", decoded)):
                ways[f"stargan_tf.data, {stored}"] = _batches(training_dataset(data, config, seed=0), scaled)
            print("batches of " + ("float32 in [-1, 1]" if scaled else "uint8"))
            _print_speeds(_measure(ways, arguments), arguments)
            for way in ways.values():
                way.close()
        for name, data in (("encoded", encoded), ("stored decoded", decoded)):
            if arguments.training_steps:
                share, seconds = _waiting(data, config, arguments.training_steps)
                print(f"training on records {name}: {seconds:.2f} s a step, {share:.2%} of it waiting for data")


def _measure(ways: dict[str, Iterator[None]], arguments: Arguments) -> dict[str, list[tuple[float, float]]]:
    """Returns of each turn the images per second, and the processor time of an image in seconds."""
    count = 3 * arguments.batch_size * arguments.batches
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(arguments.turns):
        for name, way in ways.items():
            end = time.perf_counter() + _WARM_UP_SECONDS
            while time.perf_counter() < end:  # empties the queue, so that only what is made now counts
                next(way)
            start, used = time.perf_counter(), _processor_seconds()
            for _ in range(arguments.batches):
                next(way)
            results[name].append((count / (time.perf_counter() - start), (_processor_seconds() - used) / count))
            time.sleep(_SETTLE_SECONDS)
    return results


def _processor_seconds() -> float:
    """Returns the processor time of this process and of those that it has started."""
    this = psutil.Process()
    times = (process.cpu_times() for process in (this, *this.children(recursive=True)))
    return sum(used.user + used.system for used in times)


def _batches(dataset, scaled: bool) -> Iterator[None]:
    """Yields when the next batch is there, and scaled as a step scales it if that is wanted."""
    import tensorflow as tf

    from stargan_tf.data.scaling import scale_tensor

    @tf.function
    def scale(batch: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        return [scale_tensor(value) for value in batch.values() if value.dtype == tf.uint8]

    for batch in dataset:
        if scaled:
            scale(batch)
        yield


def _print_speeds(results: dict[str, list[tuple[float, float]]], arguments: Arguments) -> None:
    pillow = [name for name in results if name.startswith("Pillow")]
    stronger = max(pillow, key=lambda name: statistics.median(speed for speed, _ in results[name]))
    print(f"{'':36}{'images/s':>12}{'CPU ms/image':>16}{'times Pillow':>16}")
    for name, turns in results.items():
        ratio = statistics.median(
            speed / other for (speed, _), (other, _) in zip(turns, results[stronger], strict=True)
        )
        print(
            f"{name:36}{statistics.median(speed for speed, _ in turns):>12.0f}"
            f"{1e3 * statistics.median(used for _, used in turns):>16.3f}{ratio:>16.2f}"
        )
    print(f"medians of {arguments.turns} turns; the stronger Pillow loader is that of {stronger.split()[-1]}\n")


def _waiting(data, config, steps: int) -> tuple[float, float]:
    """Trains small networks; returns the share of a step spent waiting for data, and its seconds."""
    from stargan_tf.config import Config, ModelConfig, resolve
    from stargan_tf.data.input_pipeline import training_dataset
    from stargan_tf.runs.state import create_state
    from stargan_tf.training.distribution import create_strategy
    from stargan_tf.training.iteration import compile_iteration

    config = resolve(
        Config(model=ModelConfig(base_channels=4, max_channels=32), input=config), data.domains, data.image_size
    )
    strategy = create_strategy(devices=1)
    with strategy.scope():
        state = create_state(config)
    iterate = compile_iteration(strategy, state, config)
    batches = iter(strategy.experimental_distribute_dataset(training_dataset(data, config.input, seed=0)))
    float(iterate(next(batches)).values[0, 0])  # compiles
    waited, start = 0.0, time.perf_counter()
    for _ in range(steps):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        float(iterate(batch).values[0, 0])
    seconds = time.perf_counter() - start
    return waited / seconds, seconds / steps


def _write_files(arguments: Arguments, directory: Path) -> list[list[str]]:
    """Writes image files, half of them for each of two domains, or those of each domain of `--data`."""
    if arguments.data is None:
        encoded = {
            f"domain_{domain}": [photograph(2 * i + domain, arguments.image_size) for i in range(arguments.images // 2)]
            for domain in range(2)
        }
    else:
        encoded = _read_encoded(arguments.data)
    files = []
    for domain, images in encoded.items():
        (directory / domain).mkdir(parents=True)
        paths = [directory / domain / f"{index:06d}" for index in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        files.append([str(path) for path in paths])
    return files


def _read_encoded(path: str) -> dict[str, list[bytes]]:
    """Reads the encoded training images of a data directory, by domain."""
    from stargan_tf.base import files
    from stargan_tf.base.errors import UserError
    from stargan_tf.data.example_format import decode_example
    from stargan_tf.data.records import IMAGE, open_data_directory, split_name
    from stargan_tf.data.tfrecord import read_records

    data = open_data_directory(path)
    if data.decoded:
        raise UserError(f"the images of {path} are stored decoded; give data with encoded ones, which both can read")
    images: dict[str, list[bytes]] = {domain: [] for domain in data.domains}
    for domain, of_domain in images.items():
        for path in data.shards(split_name("train", domain)):
            with files.open_file(path) as file:
                of_domain.extend(decode_example(record)[IMAGE][0] for record in read_records(file))
    return images


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
