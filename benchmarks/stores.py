"""Reading photographs from a store as the job does, beside s3fs's own reading of the same objects, and their requests.

    python -m benchmarks.stores --input FOLDER [--count 360] [--rounds 5]

Puts photographs on a server that stands for S3, in a process of its own (moto), and reads all of them one after
another: by `cat_file` of s3fs, by `read_image` of the job's steps, and by the whole job from the store and from the
disk. Requests are counted in a turn of their own, at a proxy. Needs `pip install '.[dev,s3]'`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stargan_tf.base import command_line, files
from stargan_tf.base.ranges import PositiveInt
from tests import faulty_proxy, stores

PROGRAM = "python -m benchmarks.stores"
_BUCKET = "s3://benchmark"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line.

    Args:
        input: folder of photographs, with a folder for each domain.
        count: number of photographs, evenly spread over the folder.
        rounds: how often each way reads all of them; the median counts.
        job: whether the whole job is run, too.
    """

    input: str
    count: PositiveInt = 360
    rounds: PositiveInt = 5
    job: bool = True


def run(arguments: Arguments) -> None:
    """Measures, and prints a table."""
    with stores.served() as server, tempfile.TemporaryDirectory() as work:
        import fsspec

        client = fsspec.filesystem("s3")
        client.mkdir(_BUCKET)
        local = Path(work) / "images"
        names = sorted(files.list_files(arguments.input))
        for name in names[:: max(1, len(names) // arguments.count)][: arguments.count]:
            content = files.read(files.join(arguments.input, name))
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_bytes(content)
            files.write(f"{_BUCKET}/images/{name}", content)
        paths = [f"{_BUCKET}/images/{name}" for name in files.list_files(str(local))]
        print(f"{len(paths)} photographs, {sum(map(files.size, paths)) / 1e6:.1f} MB")

        ways: dict[str, Callable[[], object]] = {
            "s3fs, one after another": lambda: [client.cat_file(path) for path in paths],
            "the job's reading": lambda: _read(f"{_BUCKET}/images", work),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, read in ways.items():
                begin = time.monotonic()
                read()
                seconds[way].append(time.monotonic() - begin)
        medians = {way: statistics.median(found) for way, found in seconds.items()}
        for way, median in medians.items():
            print(f"{way:28}{median:8.2f} s   ({', '.join(f'{one:.2f}' for one in seconds[way])})")
        first, second = medians.values()
        print(f"{'ratio':28}{second / first:8.2f}")
        if arguments.job:
            for place in (f"{_BUCKET}/images", str(local)):
                begin = time.monotonic()
                _job(place, f"{work}/{len(place)}")
                kind = "the store" if files.is_remote(place) else "disk"
                print(f"{f'the whole job from {kind}':28}{time.monotonic() - begin:8.2f} s")
            with faulty_proxy.started(server) as proxy:
                _job(f"{_BUCKET}/images", f"{work}/counted", endpoint=proxy.address)
                asked = [path for _, path in proxy.requests if path.partition("?")[0].count("/") > 2]
                each, total = len(asked) / len(paths), len(proxy.requests)
                print(f"{'requests for a photograph':28}{each:8.2f}   ({total} in all)")


def _read(place: str, work: str) -> int:
    """Reads all images as the job's steps do; returns the number of bytes."""
    from data_prep.sources import SourceOptions, open_source, read_image

    source = open_source(place, SourceOptions(), work)
    return sum(len(read_image(image.location, 1 << 30, None)) for image in source.images())


def _job(place: str, output: str, endpoint: str | None = None) -> None:
    environment = os.environ | ({} if endpoint is None else {"AWS_ENDPOINT_URL": endpoint})
    command = [sys.executable, "-m", "data_prep.images_to_tfrecords", "--input", place, "--output", output]
    subprocess.run(
        [*command, "--image_size", "64", "--processes", "1"], env=environment, check=True, stdout=subprocess.DEVNULL
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.splitlines()[0], argv)


if __name__ == "__main__":
    sys.exit(main())
