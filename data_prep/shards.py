"""Which shard an example belongs to, and how a shard is written: the same examples give the same bytes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stargan_tf.data.records import shard_file

# At 256 pixels about 30 MB: small enough to be sorted in memory, large enough to be read in one go.
EXAMPLES_PER_SHARD = 1024


class Shard(NamedTuple):
    """One file of a split.

    Args:
        split: name of the split.
        index: which one, from 0.
        num_shards: number of shards of the split.
    """

    split: str
    index: int
    num_shards: int


class WrittenShard(NamedTuple):
    """What was written.

    Args:
        shard: which shard.
        num_examples: number of examples in it.
        num_bytes: size of the file.
    """

    shard: Shard
    num_examples: int
    num_bytes: int


def count_shards(num_examples: int) -> int:
    """Gives the number of shards for a split.

    Args:
        num_examples: number of examples of the split.

    Returns:
        At least 1.
    """
    return max(1, -(-num_examples // EXAMPLES_PER_SHARD))


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
    digest = hashlib.sha256(f"shard {seed} {key}".encode()).digest()
    return Shard(split, int.from_bytes(digest[:8], "big") % num_shards, num_shards)


def write_shard(shard: Shard, examples: Iterable[tuple[str, bytes]], directory: str) -> WrittenShard:
    """Writes one TFRecord file, sorted by key.

    Args:
        shard: which shard.
        examples: keys and serialized Examples, in any order.
        directory: where to write.

    Returns:
        What was written.
    """
    import tensorflow as tf

    file = Path(directory) / shard_file(*shard)
    examples = sorted(examples)
    with tf.io.TFRecordWriter(str(file)) as writer:
        for _, serialized in examples:
            writer.write(serialized)
    return WrittenShard(shard, len(examples), file.stat().st_size)
