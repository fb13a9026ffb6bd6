"""Small ONNX files with random weights, and what they compute, in NumPy."""

from pathlib import Path

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

CHANNELS = (4, 6)


def random_weights(seed: int = 0) -> list[np.ndarray]:
    """Kernels of two convolutions 3 x 3, [out, in, 3, 3]."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((out, size, 3, 3), np.float32) for out, size in zip(CHANNELS, (3, 4), strict=True)]


def layers(images: np.ndarray, weights: list[np.ndarray]) -> list[np.ndarray]:
    """What the convolutions give for [N, 3, H, W], a ReLU after each: [N, C, H - 2, W - 2] and so on."""
    outputs = []
    for kernel in weights:
        windows = sliding_window_view(images, (3, 3), axis=(2, 3))
        images = np.maximum(np.einsum("nihwyx,oiyx->nohw", windows, kernel), 0)
        outputs.append(images)
    return outputs


def write(
    path: Path,
    outputs=("pooled",),
    shape=("N", 3, "H", "W"),
    dtype=TensorProto.FLOAT,
    metadata=None,
    weights=None,
    external=False,
) -> Path:
    """Writes a network of which `outputs` are chosen.

    There are `relu0` and `relu1` [N, C, H, W], `last0` and `last1`, the same with channels last, `pooled` [N, 6, 1, 1],
    `flat` [N, 6] and `sum`, a number.
    """
    weights = random_weights() if weights is None else weights
    nhwc = shape[-1] == 3 and shape[1] != 3
    nodes = [
        helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["cast"], ["nchw"], perm=[0, 3, 1, 2] if nhwc else [0, 1, 2, 3]),
        helper.make_node("Conv", ["nchw", "kernel0"], ["conv0"]),
        helper.make_node("Relu", ["conv0"], ["relu0"]),
        helper.make_node("Conv", ["relu0", "kernel1"], ["conv1"]),
        helper.make_node("Relu", ["conv1"], ["relu1"]),
        *(helper.make_node("Transpose", [f"relu{i}"], [f"last{i}"], perm=[0, 2, 3, 1]) for i in range(2)),
        helper.make_node("GlobalAveragePool", ["relu1"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("ReduceSum", ["flat"], ["sum"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", dtype, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(kernel, f"kernel{index}") for index, kernel in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.save(model, path, save_as_external_data=external, location=path.name + ".data", size_threshold=0)
    return path
