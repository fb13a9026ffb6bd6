"""The data job against a plain Pillow loop that does the same work, and its memory with ten times as many images.

    python -m benchmarks.data_prep --clothing ../shared/data/clothing [--copies 24] [--few 2000 --many 20000]

The loop opens, decodes, turns, crops, resizes and encodes each image as the job does, and writes records, one file a
domain; it looks for no duplicates, makes no statistics and checks nothing. Inputs are photographs, each varied so that
none is a duplicate: shifted by some pixels, and as a JPEG of quality 90. The time of the job is that of the whole
command, imports and metadata included; "shards only" is from when the list of images is there, before workers start, to
the last shard. Two loops at a time, each with half of the images, show what a second processor gives at that moment.
Memory is the sum over all processes of a command, sampled ten times a second.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.machine import processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.data_prep"

_DOMAINS = ("a", "b")

_LOOP = """
import io, sys, time
from pathlib import Path
import numpy as np
from PIL import Image, ImageOps
import google_crc32c, struct
from stargan_tf.data.example_format import encode_example

def crc(data):
    value = google_crc32c.value(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)

source, output, size, domains = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
output.mkdir(exist_ok=True)
start, count = time.perf_counter(), 0
for label, domain in enumerate(source / name for name in domains):
    with (output / domain.name).open("wb") as file:
        for path in sorted(domain.iterdir()):
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(path.read_bytes()))).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) / 2, (image.height - side) / 2
            image = image.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
            encoded = io.BytesIO()
            image.save(encoded, "JPEG", quality=95)
            example = encode_example({"image": encoded.getvalue(), "label": label, "key": path.name.encode()})
            length = struct.pack("<Q", len(example))
            file.write(length + crc(length) + example + crc(example))
            count += 1
print(count, time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        clothing: folder with photographs at any depth, to make the inputs of.
        image_size: side of the stored images in pixels.
        copies: varied copies of each photograph for the comparison of speed.
        few: number of inputs for the first measurement of memory; 0 leaves memory out.
        many: number for the second.
        rounds: how often each speed is measured; the best counts.
    """

    clothing: str
    image_size: int = 256
    copies: int = 24
    few: int = 2000
    many: int = 20000
    rounds: int = 1


def run(arguments: Arguments) -> None:
    """Measures, and prints two tables."""
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        photographs = sorted(Path(arguments.clothing).rglob("*.jpg"))
        count = make_inputs(photographs, Path(work) / "speed", len(photographs) * arguments.copies, side=None)
        _speed(arguments, Path(work), count)
        if arguments.few:
            _memory(arguments, Path(work), photographs)


def make_inputs(photographs: Sequence[Path], folder: Path, count: int, side: int | None) -> int:
    """Writes varied copies of photographs into two domains.

    Args:
        photographs: what to vary.
        folder: where to write.
        count: how many.
        side: the longer side of the copies, in pixels; None for that of the photograph.

    Returns:
        How many were written.
    """
    from PIL import Image, ImageChops

    for domain in _DOMAINS:
        (folder / domain).mkdir(parents=True)
    for index, path in enumerate(photographs):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        if side is not None:
            image.thumbnail((side, side))
        for copy in range(-(-(count - index) // len(photographs))):
            # All shifts of an image differ in content; beyond the width the rows shift too.
            shifted = ImageChops.offset(image, copy % image.width, copy // image.width)
            shifted.save(folder / _DOMAINS[index % 2] / f"{index:05d}_{copy:04d}.jpg", quality=90)
    return count


def _speed(arguments: Arguments, work: Path, count: int) -> None:
    """Prints images per second of the loop and of the job."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for number in range(arguments.rounds):
        for name, parts in (("Pillow loop", [_DOMAINS]), ("Pillow loop, 2 at a time", [[each] for each in _DOMAINS])):
            loops = [_start_loop(work / "speed", work / f"loop{number}", arguments.image_size, part) for part in parts]
            results = [loop.communicate()[0].split() for loop in loops]
            assert sum(int(counted) for counted, _ in results) == count
            seconds = max(float(seconds) for _, seconds in results)
            lines.setdefault(name, []).append((seconds, seconds))
        for processes in (1, 2):
            whole, images, _ = _job(work / "speed", work / f"job{number}_{processes}", arguments.image_size, processes)
            lines.setdefault(f"job, {processes} process{'es' * (processes > 1)}", []).append((whole, images))
    base = count / min(seconds for seconds, _ in lines["Pillow loop"])
    print(f"\n{count} photographs{'images/s':>26}{'x loop':>8}{'shards only':>14}{'x loop':>8}")
    for name, times in lines.items():
        whole, images = (count / min(column) for column in zip(*times, strict=True))
        print(f"{name:24}{whole:>16.1f}{whole / base:>8.2f}{images:>14.1f}{images / base:>8.2f}")


def _start_loop(source: Path, output: Path, image_size: int, domains: Sequence[str]) -> subprocess.Popen:
    command = [sys.executable, "-c", _LOOP, str(source), str(output), str(image_size), *domains]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _memory(arguments: Arguments, work: Path, photographs: Sequence[Path]) -> None:
    """Prints peak memory with few and with many inputs."""
    print(f"\n{'inputs':>10}{'processes':>12}{'peak MB':>10}{'change':>9}")
    for processes in (1, 2):
        first = None
        for count in (arguments.few, arguments.many):
            folder = work / f"memory{count}"
            if not folder.exists():
                make_inputs(photographs, folder, count, side=64)
            _, _, peak = _job(folder, work / f"memory{count}_{processes}", 32, processes)
            change = "" if first is None else f"{peak / first - 1:+.1%}"
            first = first or peak
            print(f"{count:>10}{processes:>12}{peak / 1e6:>10.0f}{change:>9}", flush=True)


def _job(source: Path, output: Path, image_size: int, processes: int) -> tuple[float, float, int]:
    """Runs the job; gives its seconds, those from the list of images to the last shard, and peak memory in bytes."""
    command = [sys.executable, "-m", "data_prep.images_to_tfrecords", "--input", str(source), "--output", str(output)]
    flags = ["--image_size", str(image_size), "--processes", str(processes), "--val_fraction", "0"]
    start = time.perf_counter()
    job = subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, shards = [0], [start]
    watcher = threading.Thread(target=_watch, args=(job, output, peak, shards))
    watcher.start()
    _, errors = job.communicate()
    whole = time.perf_counter() - start
    watcher.join()
    if job.returncode:
        raise RuntimeError(errors)
    begin, end = shards[1], shards[-1]
    manifest = json.loads((output / "manifest.json").read_text())
    assert sum(entry.get("examples", 0) for entry in manifest["files"].values()) == sum(
        1 for _ in source.rglob("*.jpg")
    )
    return whole, end - begin, peak[0]


def _watch(job: subprocess.Popen, output: Path, peak: list[int], moments: list[float]) -> None:
    """Samples memory, and notes when the lists of images are there, and when a shard appears."""
    seen = 0
    while job.poll() is None:
        try:
            process = psutil.Process(job.pid)
            memory = sum(_memory_of(each) for each in [process, *process.children(recursive=True)])
            peak[0] = max(peak[0], memory)
        except psutil.NoSuchProcess:
            break
        files = [name for folder in output.parent.glob(f".{output.name}.partial*") for name in _names(folder)]
        shards = sum(".tfrecord-" in name and "partial" not in name for name in files)
        if (len(moments) == 1 and files) or shards > seen:
            moments.append(time.perf_counter())
            seen = shards
        time.sleep(0.1)


def _names(folder: Path) -> list[str]:
    """Names in a folder, which may just have been renamed."""
    try:
        return [child.name for child in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):  # the latter: a lock
        return []


def _memory_of(process: psutil.Process) -> int:
    """Memory of a process without what it shares with others."""
    try:
        return process.memory_full_info().uss
    except psutil.NoSuchProcess:
        return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
