"""Batches for training, forever; and plain arrays of images for looking at."""

import functools
import itertools
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf.config import DataConfig
from stargan_tf.data import augment, records, schedule
from stargan_tf.data.augment import View
from stargan_tf.data.buffers import BufferPool
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.decoding import decode_record
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.record_files import RecordFiles
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.shutdown import awaited
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.data.tfrecord import CorruptRecord
from stargan_tf.errors import UserError

# Bytes that tf.data may fill with batches that are being made or wait to be taken.
_MEMORY = 2 * 2**30


def training_dataset(
    data: DataDirectory,
    config: DataConfig,
    seed: int,
    start_step: int = 0,
    worker: int = 0,
    num_workers: int = 1,
    corrupt: CorruptRecords | None = None,
) -> tf.data.Dataset:
    """Gives the batches of a training run.

    A batch is a function of data, configuration, seed and step, and of nothing else: whoever starts at a step sees what
    an uninterrupted run would have seen from there on, bit by bit, and the position to be saved is the step alone.
    Several workers read the rows of one batch, each its own only. `stargan_tf.data.schedule` says in which order images
    come: domains with equal weight, whatever their sizes, both as source and as target; the two references of a source
    are different images of the same target domain.

    A record that is damaged, or whose image cannot be decoded, is replaced by the next one in the domain's order, up
    to `config.max_corrupt_records` of them. Then it is an error, which TensorFlow gives as one of its own; take batches
    under `corrupt.user_errors()` to have it as a UserError.

    Batches are host tensors, made side by side and ahead of time as tf.data sees fit; a distribution strategy copies
    them to its devices ahead of time too.

    Args:
        data: the data directory.
        config: batch size and augmentation.
        seed: another seed gives another order and other augmentation.
        start_step: number of the first step.
        worker: which of the workers this is, from 0.
        num_workers: how many workers share each batch.
        corrupt: counts what is skipped; by default a count of its own, up to `config.max_corrupt_records`.

    Returns:
        An endless dataset of dictionaries: `source`, `reference` and `reference_2` [B, H, W, 3] uint8, which
        `scaling.scale_tensor` scales on the devices, so that a quarter of the bytes has to get there; `source_domain`
        and `target_domain` [B] int32. B is `batch_size // num_workers`: of the whole batch the rows from `worker * B`
        on.

    Raises:
        UserError: a domain without two training images, a missing file, too many records known to be lost already, or
            a batch that cannot be split evenly over the workers.
    """
    if config.batch_size % num_workers:
        raise UserError(
            f"a batch of {config.batch_size} cannot be split evenly over {num_workers} workers; "
            f"set --input.batch_size to a multiple of {num_workers}"
        )
    if corrupt is None:
        corrupt = CorruptRecords(config.max_corrupt_records)
    share = config.batch_size // num_workers
    reader = _BatchReader(data, config, seed, range(worker * share, (worker + 1) * share), corrupt)
    images, domains = tf.TensorSpec((share, *data.image_size, 3), tf.uint8), tf.TensorSpec((share,), tf.int32)
    signature = {
        "source": images,
        "source_domain": domains,
        "reference": images,
        "reference_2": images,
        "target_domain": domains,
    }

    def read(step: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.numpy_function(reader.read, [step], [spec.dtype for spec in signature.values()])
        return {
            name: tf.ensure_shape(value, spec.shape)
            for (name, spec), value in zip(signature.items(), values, strict=True)
        }

    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = True
    options.autotune.ram_budget = _MEMORY
    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    return steps.map(read, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE).with_options(options)


class _BatchReader:
    """Reads one worker's rows of any step; threads share it."""

    def __init__(self, data: DataDirectory, config: DataConfig, seed: int, rows: range, corrupt: CorruptRecords):
        self._data, self._config, self._seed, self._rows, self._corrupt = data, config, seed, rows, corrupt
        # Of each domain the orders of this epoch and of the next, as sources and as references: 16 bytes an image.
        self._epoch_order = functools.lru_cache(maxsize=4 * len(data.domains))(schedule.epoch_order)
        self._buffers = BufferPool((len(rows), *data.image_size, 3))
        splits = [records.split_name("train", domain) for domain in data.domains]
        for domain, split in zip(data.domains, splits, strict=True):
            count = data.num_examples.get(split, 0)
            if count < 2:
                raise UserError(f"domain {domain!r} of {data.path} has {count} training image(s); it needs at least 2")
        self._domains = [RecordFiles(data.shards(split), data.shard_lengths[split]) for split in splits]
        self._record_memory = BufferPool((max(files.largest for files in self._domains),))
        self._scratch = BufferPool((*data.image_size, 3))
        # What the headers tell to be lost is told now, not when its turn comes.
        for files in self._domains:
            for number in files.damaged():
                try:
                    files.read(number)
                except CorruptRecord as error:
                    corrupt.add(files.place(number), str(error))

    def read(self, step: int) -> tuple[np.ndarray, ...]:
        """Reads the rows of one step, in the order of the dataset's signature."""
        with awaited():
            return self._read(step)

    def _read(self, step: int) -> tuple[np.ndarray, ...]:
        counters = int(step) * self._config.batch_size + np.arange(self._rows.start, self._rows.stop)
        num_domains = len(self._domains)
        source_domain, source_turns = schedule.turns(counters, num_domains, self._seed, schedule.SOURCES)
        target_domain, target_turns = schedule.turns(counters, num_domains, self._seed, schedule.REFERENCES)
        # Of the whole batch, of which this worker takes its rows: [batch, (source, reference, reference_2), words].
        shape = (self._config.batch_size, 3, augment.WORDS_PER_IMAGE)
        words = schedule.random_words(int(np.prod(shape)), self._seed, schedule.AUGMENTATION, int(step))
        words = words.reshape(shape)[self._rows.start : self._rows.stop].reshape(-1, augment.WORDS_PER_IMAGE)
        views = list(
            itertools.starmap(View, zip(*augment.random_views(words, self._data.image_size, self._config), strict=True))
        )
        images = [self._buffers.take() for _ in range(3)]
        memory, scratch = memoryview(self._record_memory.take()), self._scratch.take()
        for row in range(len(self._rows)):
            drawn = itertools.chain(
                self._draw(schedule.SOURCES, int(source_domain[row]), int(source_turns[row]), 1, memory),
                self._draw(schedule.REFERENCES, int(target_domain[row]), int(target_turns[row]), 2, memory),
            )
            for pixels, view, output in zip(drawn, views[3 * row : 3 * row + 3], images, strict=True):
                augment.show(pixels, view, output[row], scratch)
        source, reference, reference_2 = images
        return source, source_domain, reference, reference_2, target_domain

    def _draw(self, stream: int, domain: int, turn: int, count: int, memory: memoryview) -> Iterator[np.ndarray]:
        """Reads `count` different images of a domain for its turn number `turn`.

        Yields:
            [H, W, 3] uint8, which may lie in `memory`: to be used before the next one is read.
        """
        files = self._domains[domain]
        epoch, turn = divmod(turn, len(files) // count)
        order = self._epoch_order(len(files), self._seed, stream, domain, epoch)
        taken: set[int] = set()
        for position in range(count * turn, count * (turn + 1)):
            for ahead in range(len(files)):  # the image whose turn it is, else the next good one
                number = int(order[(position + ahead) % len(files)])
                if number in taken:
                    continue
                try:
                    pixels = decode_record(files.read(number, memory), self._data.image_size, self._data.decoded)
                except CorruptRecord as error:
                    self._corrupt.add(files.place(number), str(error))
                    continue
                taken.add(number)
                yield pixels
                break
            else:
                self._corrupt.fail(
                    f"domain {self._data.domains[domain]!r} of {self._data.path} has fewer than {count} training "
                    "image(s) that can be read; prepare the data anew"
                )


def read_images(
    data: DataDirectory, split: str, limit: int | None = None
) -> tuple[np.ndarray, list[str], list[dict[str, Any]]]:
    """Reads images as they are stored, always in the same order.

    Args:
        data: the data directory.
        split: name of the split, as from `records.split_name`.
        limit: how many to read at most; by default all.

    Returns:
        Images, [N, H, W, 3] float32 in [-1, 1]; their keys; their attributes.

    Raises:
        UserError: there is no such split, or a record is corrupt.
    """
    stored = StoredImages(data, split)
    count = len(stored) if limit is None else min(limit, len(stored))
    images, keys, attributes = np.zeros((count, *data.image_size, 3), np.float32), [], []
    for number in range(count):
        images[number], record = stored.decode(number)
        example = decode_example(bytes(record))
        keys.append(example[records.KEY][0].decode())
        attributes.append(json.loads(example[records.ATTRIBUTES][0]))
    return images, keys, attributes
