"""Convolutions as a measure: how many operations a graph spends on them, and how fast the machine can do them."""

import math
import statistics
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

_KINDS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")


def gflop(function: tf.types.experimental.ConcreteFunction) -> float:
    """Counts the convolutions that one call executes, as matrix products too: two operations for each multiplication.

    Args:
        function: traced for inputs of known shape. What its outputs and its changes of variables do not need is not
            executed, and not counted; of a conditional the first branch is.

    Returns:
        Billions of operations.
    """
    return sum(_of_operation(operation) for operation in _executed(function.graph)) / 1e9


def machine_rate(dtype: tf.DType, repetitions: int = 7) -> float:
    """Measures the machine's own rate, on a 3x3 convolution of 256 channels at 64 x 64 pixels.

    Args:
        dtype: float32 or bfloat16.
        repetitions: of which the median counts.

    Returns:
        Billions of operations a second.
    """
    random = np.random.default_rng(0)
    images = tf.cast(tf.constant(random.standard_normal((1, 64, 64, 256), np.float32)), dtype)
    kernel = tf.cast(tf.constant(random.standard_normal((3, 3, 256, 256), np.float32)), dtype)
    convolve = tf.function(lambda: tf.nn.conv2d(images, kernel, 1, "SAME"), autograph=False)
    convolve()
    tf.test.experimental.sync_devices()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        convolve()
        tf.test.experimental.sync_devices()  # on a GPU, the call returns before the work is done
        seconds.append(time.perf_counter() - start)
    return gflop(convolve.get_concrete_function()) / statistics.median(seconds)


def _executed(graph: tf.Graph) -> Iterator[tf.Operation]:
    """Yields the operations that outputs and stateful operations depend on, those of called functions included."""
    wanted = [tensor.op for tensor in graph.outputs] + list(getattr(graph, "control_outputs", []))
    seen = set()
    while wanted:
        operation = wanted.pop()
        if operation.name in seen:
            continue
        seen.add(operation.name)
        wanted += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
        yield operation
        for name in ("f", "then_branch", "body"):
            if name in operation.node_def.attr and operation.node_def.attr[name].HasField("func"):
                yield from _executed(graph._get_function(operation.node_def.attr[name].func.name).graph)


def _of_operation(operation: tf.Operation) -> int:
    if operation.type == "MatMul":  # others, like making 4x4 kernels, are small beside those
        inner = operation.inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return 2 * math.prod(operation.outputs[0].shape) * inner if operation.outputs[0].shape.is_fully_defined() else 0
    if operation.type not in _KINDS:
        return 0
    # Every element of the smaller feature map is a sum over kernel and input channels.
    if operation.type == "Conv2D":
        kernel, small = operation.inputs[1].shape, operation.outputs[0].shape
    elif operation.type == "Conv2DBackpropInput":
        kernel, small = operation.inputs[1].shape, operation.inputs[2].shape
    else:
        kernel, small = operation.outputs[0].shape, operation.inputs[2].shape
        if not kernel.is_fully_defined():
            kernel = tf.TensorShape(tf.get_static_value(operation.inputs[1]))
    batch, height, width = small[:3]
    return 2 * (batch or 1) * height * width * math.prod(kernel)
