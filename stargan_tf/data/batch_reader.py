"""Reads batches for training: which images, cropped and mirrored how, follows from the number of the step alone."""

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from stargan_tf.base.errors import RefusedError, UserError
from stargan_tf.config import DataConfig
from stargan_tf.data import augment, records, schedule
from stargan_tf.data.decoding import decode_record
from stargan_tf.data.record_files import Place, RecordFiles
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.tfrecord import CorruptRecord

# Called with each record that has to be skipped and the reason; raises RefusedError if there are too many.
Skip = Callable[[Place, str], None]


class BatchReader:
    """Reads one worker's rows of any step; threads may share it.

    Args:
        data: the data directory.
        config: batch size and augmentation.
        seed: another seed gives another order and other augmentation.
        rows: which rows of the whole batch.

    Raises:
        UserError: a domain without two training images, or a missing file.
    """

    def __init__(self, data: DataDirectory, config: DataConfig, seed: int, rows: range):
        self._data, self._config, self._seed, self._rows = data, config, seed, rows
        splits = [records.split_name("train", domain) for domain in data.domains]
        for domain, split in zip(data.domains, splits, strict=True):
            count = data.num_examples.get(split, 0)
            if count < 2:
                raise UserError(f"domain {domain!r} of {data.path} has {count} training image(s); it needs at least 2")
        self._domains = [RecordFiles(data.shards(split), data.shard_lengths[split]) for split in splits]
        # Of each domain the orders of this epoch and of the next, as sources and as references: 16 bytes an image.
        self._epoch_order = functools.lru_cache(maxsize=4 * len(self._domains))(schedule.epoch_order)
        self._record_memory: deque[memoryview] = deque()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the images of a batch: [(source, reference, reference_2), rows, height, width, 3]."""
        return (3, len(self._rows), *self._data.image_size, 3)

    def skip_damaged(self, skip: Skip) -> None:
        """Passes to `skip` the records that headers show to be lost, before their turn comes."""
        for files in self._domains:
            for number in files.damaged():
                try:
                    files.read(number)
                except CorruptRecord as error:
                    skip(files.place(number), str(error))

    def read(self, step: int, skip: Skip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reads the rows of one step.

        Args:
            step: number of the step.
            skip: called with each record that cannot be read; the next one in its domain's order takes its place.

        Returns:
            Images, [(source, reference, reference_2), rows, height, width, 3] uint8, and the domains of the sources
            and of the references, [rows] int32 each.

        Raises:
            RefusedError: too few images of a domain can be read, or more have to be skipped than are allowed.
        """
        counters = step * self._config.batch_size + np.arange(self._rows.start, self._rows.stop)
        num_domains = len(self._domains)
        source_domain, source_turns = schedule.turns(counters, num_domains, self._seed, schedule.SOURCES)
        target_domain, target_turns = schedule.turns(counters, num_domains, self._seed, schedule.REFERENCES)
        # Of the whole batch, of which this worker takes its rows: [batch, (source, reference, reference_2), words].
        shape = (self._config.batch_size, 3, augment.WORDS_PER_IMAGE)
        words = schedule.random_words(int(np.prod(shape)), self._seed, schedule.AUGMENTATION, step)
        words = words.reshape(shape)[self._rows.start : self._rows.stop].reshape(-1, augment.WORDS_PER_IMAGE)
        views = iter(augment.random_views(words, self._data.image_size, self._config))
        images = np.empty(self.shape, np.uint8)
        try:  # memory for one record, used again: fresh pages take longer than reading a large one
            memory = self._record_memory.pop()
        except IndexError:
            memory = memoryview(bytearray(max(files.largest for files in self._domains)))
        for row in range(len(self._rows)):
            drawn = itertools.chain(
                self._draw(schedule.SOURCES, int(source_domain[row]), int(source_turns[row]), 1, memory, skip),
                self._draw(schedule.REFERENCES, int(target_domain[row]), int(target_turns[row]), 2, memory, skip),
            )
            for pixels, output in zip(drawn, images[:, row], strict=True):
                augment.show(pixels, next(views), output)
        self._record_memory.append(memory)
        return images, source_domain, target_domain

    def _draw(
        self, stream: int, domain: int, turn: int, count: int, memory: memoryview, skip: Skip
    ) -> Iterator[np.ndarray]:
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
                    skip(files.place(number), str(error))
                    continue
                taken.add(number)
                yield pixels
                break
            else:
                raise RefusedError(
                    f"domain {self._data.domains[domain]!r} of {self._data.path} has fewer than {count} training "
                    "image(s) that can be read; prepare the data anew"
                )
