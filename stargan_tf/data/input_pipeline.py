"""Batches for training, forever; and plain arrays of images for looking at."""

import atexit
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data import records
from stargan_tf.data.batch_reader import BatchReader
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.records import DataDirectory
from stargan_tf.data.stored_images import StoredImages

# Limit of the bytes of batches that are being made or wait to be taken.
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

    Batches are host tensors, made in parallel and ahead of time by tf.data, which tunes both; a distribution strategy
    copies them to its devices ahead of time, too.

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
    reader = BatchReader(data, config, seed, range(worker * share, (worker + 1) * share))
    reader.skip_damaged(corrupt.add)

    def read_step(step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with _ended_before_python(), corrupt.kept_errors():
            return reader.read(int(step), corrupt.add)

    def read(step: tf.Tensor) -> dict[str, tf.Tensor]:
        images, source_domain, target_domain = tf.numpy_function(read_step, [step], [tf.uint8, tf.int32, tf.int32])
        source, reference, reference_2 = tf.unstack(tf.ensure_shape(images, reader.shape))
        return {
            "source": source,
            "source_domain": tf.ensure_shape(source_domain, (share,)),
            "reference": reference,
            "reference_2": reference_2,
            "target_domain": tf.ensure_shape(target_domain, (share,)),
        }

    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)
    batches = steps.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = True
    options.autotune.ram_budget = _MEMORY
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


# Kept by hand: while anything refers to a dataset's iterator, such as a module's variable or the traceback of an error,
# tf.data's threads call Python ahead of need, and a call that comes while the interpreter is taken down hangs
# the process or aborts it ("terminate called without an active exception"). TensorFlow has no means against it.
_calls = threading.Condition()
_running = 0
_exiting = False


@contextlib.contextmanager
def _ended_before_python() -> Iterator[None]:
    """Makes the interpreter's end wait for what runs inside, and refuses to run it after that."""
    global _running
    with _calls:
        _running += 1
        _calls.notify()
    try:
        if _exiting:
            raise RuntimeError("the process is ending")
        yield
    finally:
        with _calls:
            _running -= 1
            _calls.notify()


@atexit.register
def _refuse_calls() -> None:
    """Lets calls fail at once, which fills tf.data's queues, and waits until none has come for 0.2 s, 10 s at most."""
    global _exiting
    end = time.monotonic() + 10
    with _calls:
        _exiting = True
        while time.monotonic() < end and (_calls.wait(0.2) or _running):
            pass


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
