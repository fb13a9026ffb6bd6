"""Kernels as convolutions apply them, made once while the weights stay the same, and not in every call.

Networks are called eleven times in a training iteration, between which most of them have not moved. Casting a kernel to
bfloat16, or making a 4x4 kernel of it, takes as long as a convolution of few pixels.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator

import keras
import tensorflow as tf


class _Shared(threading.local):  # replicas are traced in threads, in turns
    kernels: dict[int, dict[tf.Graph, tf.Tensor]] | None = None


_shared = _Shared()


@contextlib.contextmanager
def share_kernels() -> Iterator[None]:
    """Has kernels made once within the block; whoever changes weights in it calls `forget_kernels`."""
    _shared.kernels = {}
    try:
        yield
    finally:
        _shared.kernels = None


def forget_kernels(variables: Iterable[keras.Variable]) -> None:
    """Has the kernels of these variables, which were changed, made anew when they are next needed."""
    if _shared.kernels is not None:
        for variable in variables:
            _shared.kernels.pop(id(variable), None)


def made_once(
    variable: keras.Variable, kernel: tf.Tensor, x: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor] | None = None
) -> tf.Tensor:
    """Returns a kernel in the type of `x`, which within `share_kernels` may have been made before.

    Args:
        variable: that the kernel is computed of.
        kernel: what is applied, at least float32.
        x: what it is applied to; the kernel is not made before it exists, or all kernels would be in memory at once.
        change: makes another kernel of it, before it is rounded.
    """
    if change is None and kernel.dtype == x.dtype:
        return kernel

    def make() -> tf.Tensor:
        return tf.cast(kernel if change is None else change(kernel), x.dtype)

    if _shared.kernels is None or not isinstance(variable.value, tf.Variable):  # other values stand in for it
        return make()
    graph = tf.compat.v1.get_default_graph()  # of branches and loops, outside of which nothing of theirs exists
    made = _shared.kernels.setdefault(id(variable), {})
    if graph in made:
        return made[graph]
    with tf.control_dependencies([x]):
        made[graph] = make()
    return made[graph]
