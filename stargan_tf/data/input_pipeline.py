"""Batches for training, forever; and plain arrays of images for looking at."""

import itertools
import json
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf.config import DataConfig
from stargan_tf.data import augment, records
from stargan_tf.data.records import DataDirectory
from stargan_tf.errors import UserError

_MAX_OPEN_FILES = 16

# What seeds are for; keeps their streams apart.
_ORDER, _CHOICES = 1, 2


def training_dataset(data: DataDirectory, config: DataConfig, seed: int, start_step: int = 0) -> tf.data.Dataset:
    """Gives the batches of a training run.

    Domains have equal weight, whatever their sizes, both as source and as target. The two references of a source are
    different images of the same target domain. Every choice follows from `seed`, `start_step` and the step; the order
    of images from TensorFlow's global seed too, if one is set.

    Args:
        data: the data directory.
        config: batch size, shuffling and augmentation.
        seed: another seed gives another order and other augmentation.
        start_step: number of the first step; a run that goes on from there sees the images in a new order.

    Returns:
        An endless dataset of dictionaries: `source`, `reference` and `reference_2` [B, H, W, 3] float32 in [-1, 1];
        `source_domain` and `target_domain` [B] int32.

    Raises:
        UserError: a domain without two training images.
    """
    for domain in data.domains:
        count = data.num_examples.get(records.split_name("train", domain), 0)
        if count < 2:
            raise UserError(f"domain {domain!r} of {data.path} has {count} training image(s); it needs at least 2")

    order_seeds = iter(_seeds(2 * len(data.domains), seed, _ORDER, start_step))
    sources = [_shuffled(data, domain, config, next(order_seeds)).repeat() for domain in data.domains]
    # Paired before repeating, so that the last image of one epoch never meets itself as the first of the next.
    pairs = [
        _shuffled(data, domain, config, next(order_seeds)).batch(2, drop_remainder=True).repeat()
        for domain in data.domains
    ]
    source_seed, target_seed, augment_seed = _seeds(3, seed, _CHOICES)
    parallel = {"num_parallel_calls": tf.data.AUTOTUNE}
    steps = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max)

    def choose(streams: list[tf.data.Dataset], choice_seed: int) -> tf.data.Dataset:
        """Takes the next element of a random stream, B times a step."""

        def choices(step: tf.Tensor) -> tf.Tensor:
            shape = [config.batch_size]
            return tf.random.stateless_uniform(shape, [choice_seed, step], 0, len(streams), dtype=tf.int64)

        return tf.data.Dataset.choose_from_datasets(streams, steps.map(choices).unbatch(), stop_on_empty_dataset=False)

    def decode_pair(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first, domain = _decode(serialized[0], data)
        second, _ = _decode(serialized[1], data)
        return first, second, domain

    def assemble(step: tf.Tensor, source: tuple, references: tuple) -> dict[str, tf.Tensor]:
        source, source_domain = source
        reference, reference_2, target_domain = references
        boxes = augment.random_boxes(3 * config.batch_size, config, tf.stack([augment_seed, step]))
        images = augment.read_boxes(tf.concat([source, reference, reference_2], axis=0), boxes)
        source, reference, reference_2 = tf.split(images, 3)
        return {
            "source": source,
            "source_domain": source_domain,
            "reference": reference,
            "reference_2": reference_2,
            "target_domain": target_domain,
        }

    source_batches = (
        choose(sources, source_seed)
        .map(lambda serialized: _decode(serialized, data), **parallel)
        .batch(config.batch_size, drop_remainder=True)
    )
    reference_batches = (
        choose(pairs, target_seed).map(decode_pair, **parallel).batch(config.batch_size, drop_remainder=True)
    )
    batches = tf.data.Dataset.zip(steps, source_batches, reference_batches).map(assemble, **parallel)
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = True
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


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
        UserError: there is no such split.
    """
    images, keys, attributes = [], [], []
    dataset = tf.data.TFRecordDataset(list(data.shards(split))).map(records.parse_example)
    for example in itertools.islice(dataset, limit):
        images.append(augment.scale(_decode_image(example[records.IMAGE], data.image_size)).numpy())
        keys.append(example[records.KEY].numpy().decode())
        attributes.append(json.loads(example[records.ATTRIBUTES].numpy()))
    return np.stack(images) if images else np.zeros((0, *data.image_size, 3), np.float32), keys, attributes


def _shuffled(data: DataDirectory, domain: str, config: DataConfig, seed: int) -> tf.data.Dataset:
    """One pass over the serialized training examples of a domain, in another order each time."""
    split = records.split_name("train", domain)
    files = list(data.shards(split))
    return (
        tf.data.Dataset.from_tensor_slices(files)
        .shuffle(len(files), seed=seed)
        .interleave(tf.data.TFRecordDataset, cycle_length=min(len(files), _MAX_OPEN_FILES))
        .shuffle(min(data.num_examples[split], config.shuffle_buffer), seed=seed)
    )


def _decode(serialized: tf.Tensor, data: DataDirectory) -> tuple[tf.Tensor, tf.Tensor]:
    """Gives the pixels, [H, W, 3] uint8, and the domain, [] int32, of an Example."""
    example = records.parse_example(serialized)
    return _decode_image(example[records.IMAGE], data.image_size), tf.cast(example[records.LABEL], tf.int32)


def _decode_image(encoded: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    # Reads PNG as well; the exact method gives the pixels that Pillow gives.
    image = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.ensure_shape(image, (*image_size, 3))


def _seeds(count: int, *entropy: int) -> list[int]:
    """Derives independent seeds of 32 bits from numbers that are not negative."""
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(count, np.uint32)]
