"""Branches of a TensorFlow graph that are rarely taken, and cost nothing where they are not."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def rarely(condition: tf.Tensor, function: Callable, otherwise: Callable, inputs: tuple[tf.Tensor, ...]) -> Any:
    """Calls a function, or another one.

    Rows are decoded in a function of a dataset, which TensorFlow prepares anew for each call with all that is in it: a
    branch of `tf.cond` costs time in proportion to its length even where it is not taken. What is in a dataset of its
    own is prepared when that is read.

    Args:
        condition: scalar bool.
        function: called with the inputs if the condition holds.
        otherwise: called without inputs if it does not; it returns the same structure.
        inputs: of the function.

    Returns:
        What the function gave.
    """
    dataset = tf.data.Dataset
    return tf.cond(condition, lambda: dataset.from_tensors(inputs).map(function).get_single_element(), otherwise)
