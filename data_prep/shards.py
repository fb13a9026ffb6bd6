"""Which shard an example belongs to, and how a shard is written: the same examples give the same bytes."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from stargan_tf.base import files
from stargan_tf.data.records import shard_file
from stargan_tf.data.tfrecord import frame

# At 256 pixels about 8 MB: a few images of each domain are already work for several processes.
EXAMPLES_PER_SHARD = 256


class Shard(NamedTuple):
    """One file of a split.

    Attributes:
        split: name of the split.
        index: which one, from 0.
        num_shards: number of shards of the split.
    """

    split: str
    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody calls
    num_shards: int


class WrittenShard(NamedTuple):
    """What was written.

    Attributes:
        shard: which shard.
        num_examples: number of examples in it.
        num_bytes: size of the file.
        sha256: hash of the file, 64 hexadecimal digits.
    """

    shard: Shard
    num_examples: int
    num_bytes: int
    sha256: str


def count_shards(num_examples: int, examples_per_shard: int = EXAMPLES_PER_SHARD) -> int:
    """Gives the number of shards for a split.

    Args:
        num_examples: number of examples of the split.
        examples_per_shard: how many a shard should hold at most; by chance some hold a few more.

    Returns:
        At least 1.
    """
    return max(1, -(-num_examples // examples_per_shard))


def assign_shard(key: str, split: str, num_shards: int, seed: int) -> Shard:
    """Chooses the shard of an example.

    Args:
        key: key of the example.
        split: name of its split.
        num_shards: number of shards of the split.
        seed: salt of the hash that decides.

    Returns:
        The shard, which depends on nothing but the arguments.
    """
    return Shard(split, salted_hash("shard", seed, key) % num_shards, num_shards)


def salted_hash(salt: str, seed: int, text: str) -> int:
    """Returns a number from 0 to 2^64 - 1 that depends on nothing but the arguments."""
    return int.from_bytes(hashlib.sha256(f"{salt} {seed} {text}".encode()).digest()[:8], "big")


class ShardWriter:
    """A shard that is being written, one example at a time."""

    def __init__(self, shard: Shard, file):
        self._shard, self._file = shard, file
        self._hash = hashlib.sha256()
        self._num_examples = self._num_bytes = 0

    def write(self, serialized: bytes) -> None:
        """Appends a serialized Example."""
        record = frame(serialized)
        self._file.write(record)
        self._hash.update(record)
        self._num_examples += 1
        self._num_bytes += len(record)

    @property
    def written(self) -> WrittenShard:
        """What was written so far."""
        return WrittenShard(self._shard, self._num_examples, self._num_bytes, self._hash.hexdigest())


@contextlib.contextmanager
def open_shard(shard: Shard, directory: str) -> Iterator[ShardWriter]:
    """Opens a shard for writing; the file gets its name when the block ends without an exception.

    Runners may work on a shard twice at the same time, when one worker is slow: both write the same bytes, and each
    into a file of its own, so that whoever ends last replaces the other's.

    Args:
        shard: which shard.
        directory: where to write.

    Yields:
        The writer; examples must come in the order of their keys.
    """
    with files.create(files.join(directory, shard_file(*shard))) as file:
        yield ShardWriter(shard, file)


def write_shard(shard: Shard, examples: Iterable[tuple[str, bytes]], directory: str) -> WrittenShard:
    """Writes one TFRecord file, sorted by key.

    Args:
        shard: which shard.
        examples: keys and serialized Examples, in any order.
        directory: where to write.

    Returns:
        What was written.
    """
    with open_shard(shard, directory) as writer:
        for _, serialized in sorted(examples):
            writer.write(serialized)
    return writer.written
