"""How far a pipeline has come: by image where workers are threads of this process, else by finished shards."""

import contextlib
from collections.abc import Iterator

from data_prep.shards import count_shards
from stargan_tf.base import files
from stargan_tf.base.progress import Progress, meanwhile

_POLL_SECONDS = 2.0

# Counted by workers; other processes count their own, which nobody looks at.
_inspected = 0
_prepared = 0


def inspected() -> None:
    """Notes that an image was looked at."""
    global _inspected
    _inspected += 1


def prepared() -> None:
    """Notes that an image was prepared, or rejected while it was."""
    global _prepared
    _prepared += 1


@contextlib.contextmanager
def show(num_images: int, directory: str, examples_per_shard: int, here: bool) -> Iterator[None]:
    """Shows progress while the block runs.

    Args:
        num_images: how many images there are.
        directory: where shards appear.
        examples_per_shard: how many a shard holds.
        here: whether the workers are threads of this process.
    """
    global _inspected, _prepared
    _inspected = _prepared = 0

    def count() -> int:
        if here:
            return _inspected + _prepared
        return sum(".tfrecord-" in name and ".partial-" not in name for name in files.list_files(directory))

    # Each image is inspected and prepared; a split's last shard is seldom full, so the number of shards is a guess.
    total, unit = (2 * num_images, "steps") if here else (count_shards(num_images, examples_per_shard), "shards")
    with Progress(total, "preparing", unit) as bar:
        with meanwhile(lambda: bar.update(min(count(), total) - bar.done), 0.2 if here else _POLL_SECONDS):
            yield
        bar.update(total - bar.done)
