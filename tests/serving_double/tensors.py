"""The tensors of requests by gRPC."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tests.serving_double.refusals import invalid

# TF Serving allocates whatever shape a tensor declares; the double, which shares a machine with tests, does not.
_TENSOR_LIMIT = 2**30


def parse_inputs(tensors: Mapping[str, Any], infos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Turns the tensors of a request into arrays, if they are all that the signature has."""
    if len(tensors) != len(infos):
        extra, missing = sorted(set(tensors) - set(infos)), sorted(set(infos) - set(tensors))
        raise invalid(
            f"input size does not match signature: {len(tensors)}!={len(infos)}. "
            f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )
    for alias in infos:
        if alias not in tensors:
            raise invalid(f"input tensor alias not found in signature: {', '.join(set(tensors) - set(infos))}")
    return {alias: parse_tensor(alias, tensors[alias], info.dtype) for alias, info in infos.items()}


def parse_tensor(alias: str, proto: Any, dtype: int) -> np.ndarray:
    """Turns a TensorProto into an array by what TF Serving uses, Tensor::FromProto, and never by tf.make_ndarray."""
    if proto.dtype != dtype:
        raise invalid(f"Expects arg[{alias}] to be {tf.dtypes.as_dtype(dtype).name} but {proto.dtype} is provided")
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    unfit = proto.tensor_shape.unknown_rank or any(size < 0 for size in sizes)
    element = max(tf.dtypes.as_dtype(dtype).size, 24)  # a short string has 24 bytes
    if unfit or np.prod([float(size) for size in sizes]) * element > _TENSOR_LIMIT:
        raise invalid(f"tensor parsing error: {alias}")
    try:
        value = tf.io.parse_tensor(proto.SerializeToString(), tf.dtypes.as_dtype(dtype)).numpy()
    except (tf.errors.OpError, ValueError):  # a ValueError for shapes that only NumPy does not know
        raise invalid(f"tensor parsing error: {alias}") from None
    return np.asarray(value, object) if isinstance(value, bytes) else value
