"""Blocks whose intermediate values are computed again in the backward pass instead of being kept for it."""

from collections.abc import Callable

import keras
import tensorflow as tf


def rematerialize(network: keras.Model) -> None:
    """Lets the blocks of a network forget, between forward and backward pass, all but what goes into them.

    Args:
        network: changed in place; its variables and its function stay the same. Blocks are the layers that have an
            attribute `rematerialized`.
    """
    for layer in network._flatten_layers():
        if hasattr(layer, "rematerialized"):
            layer.rematerialized = True


def recompute(layer: keras.layers.Layer, compute: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """Computes something without keeping more than its inputs for the gradient (arXiv 1604.06174).

    Gradients are those of `compute(*inputs)`, of any order. Those of second order keep what those of first order have
    computed again.

    Args:
        layer: whose variables are used.
        compute: from `inputs` to one tensor; may read variables of `layer` and no others.
        *inputs: tensors.

    Returns:
        What `compute` returns.
    """
    variables = layer.variables
    values = [tf.convert_to_tensor(variable.value) for variable in variables]

    def apply(*tensors: tf.Tensor) -> tf.Tensor:
        # The weights come in as tensors, since only then gradients with respect to them have gradients themselves.
        mapping = list(zip(variables, tensors[len(inputs) :], strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return compute(*tensors[: len(inputs)])

    @tf.custom_gradient
    def forward(*tensors: tf.Tensor):
        def backward(upstream: tf.Tensor) -> list[tf.Tensor]:
            # TensorFlow starts whatever can start, and would compute all of it again at the very beginning.
            with tf.control_dependencies([upstream]):
                again = [tf.identity(tensor) for tensor in tensors]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                output = apply(*again)
            return tape.gradient(output, again, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        return apply(*tensors), backward

    return forward(*inputs, *values)
