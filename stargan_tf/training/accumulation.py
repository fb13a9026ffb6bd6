"""A batch in parts, one after the other: the memory of a part, the update of the whole."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import keras
import tensorflow as tf

from stargan_tf.losses.objectives import Batch, Metrics
from stargan_tf.networks.generator import Masks


def mean_over_parts(
    compute: Callable[[Batch], tuple[list[tf.Tensor], Metrics]],
    batch: Batch,
    parts: int,
    variables: Sequence[keras.Variable],
    terms: Sequence[str],
) -> tuple[list[tf.Tensor], Metrics]:
    """Averages gradients and terms over equal parts of a batch, which gives those of the whole batch.

    Args:
        compute: returns gradients and terms of a batch; both must be means over its examples.
        batch: B examples.
        parts: how many parts, a divisor of B.
        variables: what the gradients are with respect to.
        terms: names of the terms, all of them scalars.

    Returns:
        The gradients and the terms.
    """

    def add(index, gradient, metrics):
        more, more_metrics = compute(part_of(batch, index, parts))
        gradient = [a + b / parts for a, b in zip(gradient, more, strict=True)]
        return index + 1, gradient, {name: metrics[name] + more_metrics[name] / parts for name in terms}

    # A loop keeps the parts apart. Unrolled, they would be computed at the same time: TensorFlow starts whatever can.
    start = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
    zeros = {name: tf.zeros((), keras.config.floatx()) for name in terms}
    _, gradient, metrics = tf.while_loop(
        lambda index, *_: index < parts, add, (tf.constant(0), start, zeros), parallel_iterations=1
    )
    return gradient, metrics


def part_of(batch: Batch, index: tf.Tensor, parts: int) -> Batch:
    """Returns one of the equal parts of a batch.

    Args:
        batch: B examples.
        index: of the part, from 0, int32.
        parts: how many there are, a divisor of B.

    Returns:
        B / parts consecutive examples; the choices of the differentiable augmentation differ from part to part.
    """

    def rows(values):
        if values is None:  # masks that are not there
            return None
        return tf.reshape(values, (parts, -1, *values.shape[1:]))[index]

    data = {field.name: getattr(batch, field.name) for field in fields(batch)}
    find_masks, seed = data.pop("find_masks"), data.pop("seed")
    data = tf.nest.map_structure(rows, data)
    return replace(batch, **data, find_masks=find_masks, seed=tf.random.fold_in(tf.cast(seed, tf.int64), index))


def masks_in_parts(find_masks: Callable[[tf.Tensor], Masks], images: tf.Tensor, parts: int) -> Masks:
    """Finds the masks of images, one part of them after the other.

    Args:
        find_masks: finds masks, float32.
        images: [B, H, W, 3].
        parts: how many parts, a divisor of B.

    Returns:
        What `find_masks` returns for all images.
    """
    if parts == 1:
        return find_masks(images)
    images = tf.reshape(images, (parts, -1, *images.shape[1:]))
    masks = tf.map_fn(find_masks, images, parallel_iterations=1, fn_output_signature=(tf.float32, tf.float32))
    first, second = (tf.reshape(mask, (-1, *mask.shape[2:])) for mask in masks)
    return first, second
