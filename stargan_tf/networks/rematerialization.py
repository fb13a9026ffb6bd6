"""Blocks whose intermediate values are recomputed in the backward pass instead of being kept for it.

Keras's own rematerialization has no gradients of second order, which R1 needs.
"""

from collections.abc import Callable

import keras
import tensorflow as tf


def rematerialize(network: keras.Model) -> None:
    """Makes the blocks of a network keep only their inputs between forward and backward pass.

    Args:
        network: changed in place; its variables and its function stay the same. Blocks are the layers that have an
            attribute `rematerialized`.
    """
    for layer in network._flatten_layers():
        if hasattr(layer, "rematerialized"):
            layer.rematerialized = True


def recompute(layer: keras.layers.Layer, compute: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """Returns `compute(*inputs)`, keeping no more than the inputs for its gradient (arXiv 1604.06174).

    Gradients of any order are those of `compute`. Second-order gradients keep what the first-order ones recomputed.

    Args:
        layer: the layer whose variables, and no others, `compute` reads.
        compute: from `inputs` to one tensor.
        *inputs: tensors.
    """
    variables = layer.variables
    values = [tf.convert_to_tensor(variable.value) for variable in variables]

    def apply(*tensors: tf.Tensor) -> tf.Tensor:
        # Weights are passed as tensors: only then do gradients with respect to them have gradients themselves.
        mapping = list(zip(variables, tensors[len(inputs) :], strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return compute(*tensors[: len(inputs)])

    @tf.custom_gradient
    def forward(*tensors: tf.Tensor):
        def backward(upstream: tf.Tensor) -> list[tf.Tensor]:
            # Delay until this gradient exists: TensorFlow would otherwise recompute everything at the very beginning.
            with tf.control_dependencies([upstream]):
                again = [tf.identity(tensor) for tensor in tensors]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(again)
                output = apply(*again)
            return tape.gradient(output, again, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO)

        return apply(*tensors), backward

    return forward(*inputs, *values)
