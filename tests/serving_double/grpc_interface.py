"""TF Serving's gRPC interface, by the stubs of tensorflow-serving-api."""

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving_double.refusals import Refused, invalid
from tests.serving_double.served import Served
from tests.serving_double.tensors import parse_inputs
from tests.serving_double.versions import Versions

# TF Serving cuts the messages of gRPC statuses here.
_MESSAGE_LIMIT = 1024


@contextlib.contextmanager
def _answering(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends a call with the status of a refusal."""
    try:
        yield
    except Refused as refusal:
        message = refusal.message
        if len(message.encode()) > _MESSAGE_LIMIT:
            message = message.encode()[:_MESSAGE_LIMIT].decode(errors="ignore") + "...TRUNCATED"
        context.abort(refusal.code, message)


def _find(served: Served | Versions, spec: Any) -> Served:
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    version = spec.version.value if spec.HasField("version") else None
    return served.find(spec.name, version, spec.version_label)


class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, served: Served | Versions):
        self._served = served

    def Predict(self, request, context):
        with _answering(context):
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            served = _find(self._served, request.model_spec)
            name = request.model_spec.signature_name
            signature = served.signature(name)
            if signature is None:
                message = f'Serving signature key "{name}" not found.'
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
            outputs = served.predict(name, parse_inputs(request.inputs, signature.inputs), request.output_filter)
            response = predict_pb2.PredictResponse()
            response.model_spec.name = served.name
            response.model_spec.version.value = served.version
            response.model_spec.signature_name = name or "serving_default"
            for alias, value in outputs.items():
                dtype = tf.dtypes.as_dtype(signature.outputs[alias].dtype)
                response.outputs[alias].CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))
            return response

    def GetModelMetadata(self, request, context):
        with _answering(context):
            served = _find(self._served, request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = served.name
            response.model_spec.version.value = served.version
            response.metadata["signature_def"].Pack(served.signature_map())
            return response


class Model(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, served: Served | Versions):
        self._served = served

    def GetModelStatus(self, request, context):
        with _answering(context):
            spec = request.model_spec
            self._served.find_version(spec.name, spec.version.value if spec.HasField("version") else None)
            return self._served.status()
