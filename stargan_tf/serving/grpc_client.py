"""TF Serving's gRPC interface."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stargan_tf.base import extras
from stargan_tf.serving.remote_model import Answer, Client, Unavailable
from stargan_tf.serving.served_model import ServerUnavailable, invalid_request

# What gRPC says of a certificate that is not trusted, of another host, missing, or of a server that does not encrypt.
_NO_TLS = re.compile(r"SSL_ERROR|handshake failed|not in peer certificate|CERTIFICATE", re.IGNORECASE)


class GrpcClient(Client):
    """Reaches a model by gRPC; see `Client` for the arguments.

    Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/prediction_service.proto
    """

    _DEFAULT_SERVER = "localhost:8500"

    def _connect(self) -> None:
        extras.require("serving", "grpc", "tensorflow_serving")
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import (
            get_model_metadata_pb2,
            get_model_status_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        self._grpc, self._tf = grpc, tf
        self._predict_request = predict_pb2.PredictRequest
        self._metadata_request = get_model_metadata_pb2.GetModelMetadataRequest
        self._status_request = get_model_status_pb2.GetModelStatusRequest
        limit = self._connection.message_limit
        options = {
            "grpc.max_receive_message_length": limit,  # 4 MiB otherwise, and a few images are more
            "grpc.max_send_message_length": limit,
            # Otherwise the channel waits longer and longer before it looks again for a server that was away.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.min_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": 1000,
        }
        address = self._connection.address or self._DEFAULT_SERVER
        if self._connection.encrypted:
            credentials = grpc.ssl_channel_credentials(*self._connection.tls_files())
            self._channel = grpc.secure_channel(address, credentials, list(options.items()))
        else:
            self._channel = grpc.insecure_channel(address, list(options.items()))
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._service = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _predict(self, signature: str, inputs: Mapping[str, np.ndarray], timeout: float) -> dict[str, np.ndarray]:
        request = self._predict_request()
        self._specify(request.model_spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            dtype = self._tf.string if values.dtype == object else values.dtype
            request.inputs[name].CopyFrom(self._tf.make_tensor_proto(values, dtype, values.shape))
        response = self._call(self._prediction.Predict, request, timeout)
        return {name: self._tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

    def _status(self, timeout: float) -> dict[int, str]:
        request = self._status_request()
        self._specify(request.model_spec)
        response = self._call(self._service.GetModelStatus, request, timeout)
        versions = response.model_version_status
        return {entry.version: entry.State.Name(entry.state) for entry in versions}

    def _labelled_version(self, timeout: float) -> int:
        request = self._metadata_request(metadata_field=["signature_def"])
        self._specify(request.model_spec)
        return self._call(self._prediction.GetModelMetadata, request, timeout).model_spec.version.value

    def _specify(self, spec: Any) -> None:
        spec.name = self._connection.model
        if self._connection.version is not None:
            spec.version.value = self._connection.version
        elif self._connection.label is not None:
            spec.version_label = self._connection.label

    def _headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self._connection.call_headers().items()}

    def _call(self, method: Callable[..., Answer], request: Any, timeout: float) -> Answer:
        codes = self._grpc.StatusCode
        try:
            return method(request, timeout=timeout, metadata=[*self._headers().items()])
        except self._grpc.RpcError as error:
            code, details = error.code(), self._without_secrets(error.details() or "")
        if code == codes.UNAVAILABLE and _NO_TLS.search(details):
            raise self._no_tls(details)
        if code == codes.UNAVAILABLE:
            raise Unavailable(details)
        if code == codes.INVALID_ARGUMENT:
            raise invalid_request(details)
        if code == codes.DEADLINE_EXCEEDED:
            raise self._timed_out()
        if code == codes.NOT_FOUND:
            raise ServerUnavailable(f"{self.server} does not serve {self._connection.asked}: {details}")
        if code == codes.RESOURCE_EXHAUSTED:
            details += f" (max_message_mb is {self._connection.max_message_mb})"
        raise ServerUnavailable(
            f"{self.server} answered {code.name} when asked for {self._connection.asked}: {details}"
        )
