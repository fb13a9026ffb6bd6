"""What `benchmarks.input_pipeline` compares with: loose image files, Pillow, NumPy, and as many workers as processors.

The augmentation and the batches are those of training. Workers are threads (Pillow and NumPy let go of the interpreter
while they compute), or processes that write batches into shared memory, as the loaders of other frameworks do; there a
batch is handed over without a copy.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Loader:
    """Makes batches of files by Pillow.

    Args:
        files: paths of the images of each domain.
        image_size: height and width in pixels; the files have it too.
        batch_size: rows of a batch.
        crop_probability: as in `DataConfig`, like the others.
        crop_area: range of the share of the area.
        crop_ratio: range of the ratio.
        flip_probability: share of images that are mirrored.
        scaled: whether batches are float32 in [-1, 1], or uint8.
    """

    files: Sequence[Sequence[str]]
    image_size: tuple[int, int]
    batch_size: int
    crop_probability: float
    crop_area: tuple[float, float]
    crop_ratio: tuple[float, float]
    flip_probability: float
    scaled: bool

    @property
    def dtype(self) -> np.dtype:
        """Type of the images of a batch."""
        return np.dtype(np.float32 if self.scaled else np.uint8)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the images of a batch: sources, references, second references."""
        return (3, self.batch_size, *self.image_size, 3)

    def fill(self, step: int, output: np.ndarray) -> None:
        """Makes one batch.

        Args:
            step: which.
            output: array of `shape` and `dtype`, to be filled.
        """
        random = np.random.default_rng(step)
        for row in range(self.batch_size):
            source, target = (self.files[random.integers(len(self.files))] for _ in range(2))
            references = random.choice(len(target), 2, replace=False)
            paths = source[random.integers(len(source))], target[references[0]], target[references[1]]
            for index, path in enumerate(paths):
                pixels = np.asarray(self._read(path, random))
                if self.scaled:
                    np.multiply(pixels, np.float32(1 / 127.5), out=output[index, row])
                    output[index, row] -= 1
                else:
                    output[index, row] = pixels

    def _read(self, path: str, random: np.random.Generator) -> Image.Image:
        image = Image.open(path).convert("RGB")
        if random.random() < self.crop_probability:
            image = image.crop(self._box(random)).resize(image.size, Image.Resampling.BILINEAR)
        if random.random() < self.flip_probability:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return image

    def _box(self, random: np.random.Generator) -> tuple[int, int, int, int]:
        height, width = self.image_size
        for _ in range(10):
            area = random.uniform(*self.crop_area)
            ratio = np.exp(random.uniform(*np.log(self.crop_ratio)))
            crop_height, crop_width = round(height * (area / ratio) ** 0.5), round(width * (area * ratio) ** 0.5)
            if crop_height <= height and crop_width <= width:
                top, left = random.integers(height - crop_height + 1), random.integers(width - crop_width + 1)
                return left, top, left + crop_width, top + crop_height
        return 0, 0, width, height


def by_threads(loader: Loader, workers: int) -> Iterator[None]:
    """Makes batches in threads, up to two ahead for each; yields when the next one is there."""

    def make(step: int) -> None:
        loader.fill(step, np.empty(loader.shape, loader.dtype))

    with ThreadPoolExecutor(workers) as pool:
        yield from _ahead(lambda step: pool.submit(make, step), 2 * workers)


def by_processes(loader: Loader, workers: int) -> Iterator[None]:
    """Makes batches in processes, up to two ahead for each; yields when the next one is there."""
    slots = 2 * workers
    memory = SharedMemory(create=True, size=slots * loader.dtype.itemsize * int(np.prod(loader.shape)))
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start_process, (loader, memory.name, slots)) as pool:
            yield from _ahead(lambda step: pool.submit(_fill_slot, step), slots)
    finally:
        memory.close()
        memory.unlink()


def _ahead(submit, count: int) -> Iterator[None]:
    """Waits for results in order; a new one is asked for when the next is taken, since its slot is free then."""
    pending: deque[Future] = deque(submit(step) for step in range(count))
    step = count
    try:
        while True:
            yield pending.popleft().result()  # None, or its error
            pending.append(submit(step))
            step += 1
    finally:
        for future in pending:
            future.cancel()


def _start_process(loader: Loader, name: str, slots: int) -> None:
    global _loader, _memory, _slots
    # A parent that ends takes the memory with it, so that its process need not be told of it here.
    _loader, _memory = loader, SharedMemory(name=name)
    _slots = np.ndarray((slots, *loader.shape), loader.dtype, _memory.buf)


def _fill_slot(step: int) -> None:
    _loader.fill(step, _slots[step % len(_slots)])
