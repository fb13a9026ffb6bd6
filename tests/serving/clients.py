"""Clients of the test double, by both protocols."""

import numpy as np
import pytest

from stargan_tf.serving.client import GrpcClient, RestClient

PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "rest"])

# No call may take longer, so that a fault does not hang the suite.
PATIENCE = 60.0


def connect(protocol: str, double, **limits):
    server = double.grpc_server if protocol == "grpc" else double.rest_server
    return {"grpc": GrpcClient, "rest": RestClient}[protocol](server, timeout=limits.pop("timeout", PATIENCE), **limits)


def assert_same(outputs, expected):
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        assert outputs[name].dtype == values.dtype
        assert outputs[name].shape == values.shape
        assert np.array_equal(outputs[name], values), name
