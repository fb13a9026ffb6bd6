"""A test double of TF Serving, whose binary is not at hand; as a process `python -m tests.serving_double --model DIR`.

The interfaces are those of TF Serving: gRPC by the stubs of tensorflow-serving-api, REST by the paths and the JSON
that it documents. The model is loaded as TF Serving loads it, by the session loader, and fed by the tensor names of
its signatures. Codes and messages of errors are those of TF Serving's source where clients see them. Of batching it
has what concerns results: which requests are merged, how they are padded and split, and what they do to one another.

What it is not: fast, or a proof of anything about the binary's start, reloading, warm-up and monitoring.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf.config_pb2 import CallableOptions
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from stargan_tf.serving import warmup
from stargan_tf.serving.served_model import newest_version

HOST = "127.0.0.1"

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
# TF Serving cuts the messages of gRPC statuses here.
_MESSAGE_LIMIT = 1024
# TF Serving allocates whatever shape a tensor declares; the double, which shares a machine with tests, does not.
_TENSOR_LIMIT = 2**30
# Nothing waits longer, whatever goes wrong.
_PATIENCE = 60.0


class Refused(Exception):
    """A request that fails with a code and a message."""

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def _invalid(message: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, message)


class Double:
    """Serves a model on ports of this machine, until it is closed.

    Args:
        path: directory of a model, whose newest version is served under the directory's name.
        batching: whether concurrent requests of a signature are merged.
        allowed_batch_sizes: what batches are padded to; the last is the largest.
        window: seconds that a batch waits for further requests.
        labels: labels of the version.
        warm_up: whether the warm-up requests of the model are run first; else the first request of each signature takes
            seconds, and requests that come together are all the first.
        grpc_port: port for gRPC; 0 for any that is free.
        rest_port: port for REST; 0 for any that is free.
    """

    def __init__(
        self,
        path: Path,
        batching: bool = False,
        allowed_batch_sizes: Sequence[int] = (1, 2, 4, 8),
        window: float = 0.01,
        labels: Sequence[str] = ("stable",),
        grpc_port: int = 0,
        rest_port: int = 0,
        warm_up: bool = False,
    ):
        version = newest_version(path)
        self.name = version.parent.name
        self.version = int(version.name)
        self.labels = labels
        self._session = _Session(version)
        for request in warmup.read(version) if warm_up else ():
            name = request.model_spec.signature_name
            signature = self._session.signatures[name]
            self._session.run(name, _parse_inputs(request.inputs, signature.inputs), tuple(sorted(signature.outputs)))
        self._run = _Batcher(self._session.run, allowed_batch_sizes, window) if batching else self._session.run

        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        self._grpc = grpc.server(ThreadPoolExecutor(16), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Prediction(self), self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Model(self), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port(f"{HOST}:{grpc_port}")
        self._grpc.start()

        self._rest = _HTTPServer((HOST, rest_port), type("Handler", (_Handler,), {"double": self}))
        self.rest_port = self._rest.server_port
        self._rest_thread = threading.Thread(target=self._rest.serve_forever, args=(0.05,), daemon=True)
        self._rest_thread.start()

    @property
    def grpc_server(self) -> str:
        """Host and port for gRPC."""
        return f"{HOST}:{self.grpc_port}"

    @property
    def rest_server(self) -> str:
        """Host and port for REST."""
        return f"{HOST}:{self.rest_port}"

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Signature, requests and rows (with padding) of every run that was merged of requests."""
        return self._run.runs if isinstance(self._run, _Batcher) else []

    def close(self) -> None:
        """Stops both servers."""
        self._grpc.stop(0).wait(_PATIENCE)
        self._rest.shutdown()
        self._rest.server_close()
        self._rest_thread.join(_PATIENCE)
        self._session.close()

    def __enter__(self) -> "Double":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def find(self, name: str, version: int | None, label: str | None) -> None:
        """Refuses what is not served."""
        if label and label not in self.labels:
            raise _invalid(f"Unrecognized servable version label: {label}")
        if name != self.name or version not in (None, self.version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")

    def signature(self, name: str) -> Any:
        """Returns a SignatureDef, or None."""
        return self._session.signatures.get(name or "serving_default")

    @property
    def signatures(self) -> dict[str, Any]:
        """The SignatureDefs by name."""
        return self._session.signatures

    def predict(self, name: str, inputs: Mapping[str, np.ndarray], wanted: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Runs a signature, with whatever else is to be merged."""
        name = name or "serving_default"
        outputs = self._session.signatures[name].outputs
        wanted = tuple(wanted) or tuple(sorted(outputs))
        for alias in wanted:
            if alias not in outputs:
                raise _invalid(f"output tensor alias not found in signature: {alias}")
        try:
            return dict(zip(wanted, self._run(name, inputs, wanted), strict=True))
        except tf.errors.OpError as error:
            raise Refused(_CODES[error.error_code], error.message) from None

    def status(self) -> get_model_status_pb2.GetModelStatusResponse:
        """The state of the one version."""
        response = get_model_status_pb2.GetModelStatusResponse()
        available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        response.model_version_status.add(version=self.version, state=available)
        return response


class _Session:
    """A SavedModel in a session, as TF Serving holds it."""

    def __init__(self, version: Path):
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph)
        with self._graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version))
        self.signatures = {
            name: signature
            for name, signature in loaded.signature_def.items()
            if signature.method_name == "tensorflow/serving/predict"
        }
        self._callables = {}
        self._lock = threading.Lock()

    def run(self, name: str, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]) -> list[np.ndarray]:
        """Feeds and fetches tensors by their names, of whatever shapes they are."""
        signature = self.signatures[name]
        with self._lock:
            if (name, wanted) not in self._callables:
                options = CallableOptions(
                    feed=[signature.inputs[alias].name for alias in sorted(signature.inputs)],
                    fetch=[signature.outputs[alias].name for alias in wanted],
                )
                # Unlike Session.run, this does not compare shapes with the placeholders', and no more does TF Serving.
                self._callables[name, wanted] = self._session._make_callable_from_options(options)
        return self._callables[name, wanted](*(inputs[alias] for alias in sorted(inputs)))

    def close(self) -> None:
        self._callables.clear()
        self._session.close()


@dataclass
class _Batch:
    """Requests that are run together."""

    tasks: list[Mapping[str, np.ndarray]] = field(default_factory=list)
    rows: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    results: list[list[np.ndarray]] = field(default_factory=list)
    error: Exception | None = None


class _Batcher:
    """Merges concurrent requests along axis 0 and splits what comes out, as TF Serving's BatchingSession does."""

    def __init__(self, run, allowed_batch_sizes: Sequence[int], window: float):
        self._run = run
        self._sizes = tuple(allowed_batch_sizes)
        self._window = window
        self._lock = threading.Lock()
        self._open: dict[tuple, _Batch] = {}
        self.runs: list[tuple[str, int, int]] = []

    def __call__(self, name: str, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]) -> list[np.ndarray]:
        if any(value.ndim == 0 for value in inputs.values()):
            raise _invalid("Batching Run() input tensors must have at least one dimension")
        if len({len(value) for value in inputs.values()}) != 1:
            raise _invalid("Batching Run() input tensors must have equal 0th-dimension size")
        rows = len(next(iter(inputs.values())))
        if rows > self._sizes[-1]:
            raise _invalid(f"Task size {rows} is larger than maximum input batch size {self._sizes[-1]}")
        if rows == 0:  # TF Serving pads with the first row, which there is none of; what then happens is not imitated
            return self._run(name, inputs, wanted)

        with self._lock:
            batch = self._open.get((name, wanted))
            leads = batch is None or batch.rows + rows > self._sizes[-1]
            if leads:
                if batch is not None:
                    batch.closed.set()
                batch = self._open[name, wanted] = _Batch()
            place = len(batch.tasks)
            batch.tasks.append(inputs)
            batch.rows += rows
            if batch.rows == self._sizes[-1]:
                del self._open[name, wanted]
                batch.closed.set()
        if leads:
            batch.closed.wait(self._window)
            with self._lock:
                if self._open.get((name, wanted)) is batch:
                    del self._open[name, wanted]
            try:
                batch.results = self._run_merged(name, batch, wanted)
            except Exception as error:
                batch.error = error
            batch.done.set()
        if not batch.done.wait(_PATIENCE):
            raise Refused(grpc.StatusCode.DEADLINE_EXCEEDED, "the batch was not run")
        if batch.error is not None:
            raise batch.error
        return batch.results[place]

    def _run_merged(self, name: str, batch: _Batch, wanted: tuple[str, ...]) -> list[list[np.ndarray]]:
        padding = next(size for size in self._sizes if size >= batch.rows) - batch.rows
        self.runs.append((name, len(batch.tasks), batch.rows + padding))
        merged = {}
        for alias in batch.tasks[0]:
            values = [task[alias] for task in batch.tasks]
            if len({value.shape[1:] for value in values}) != 1:
                message = (
                    f"Tensors with name '{alias}' from different tasks have different shapes and padding is turned off."
                )
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
            merged[alias] = np.concatenate([*values, *[values[-1][:1]] * padding])
        outputs = self._run(name, merged, wanted)
        if any(len(output) != batch.rows + padding for output in outputs):
            message = (
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors"
            )
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
        ends = np.cumsum([len(next(iter(task.values()))) for task in batch.tasks])
        parts = [np.split(output, ends) for output in outputs]  # the last part is the padding
        return [[part[place] for part in parts] for place in range(len(batch.tasks))]


# gRPC ----------------------------------------------------------------------------------------------


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


def _find(double: Double, spec: Any) -> None:
    if not spec.name:
        raise _invalid("ModelSpec has no name specified.")
    version = spec.version.value if spec.HasField("version") else None
    double.find(spec.name, version, spec.version_label)


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, double: Double):
        self._double = double

    def Predict(self, request, context):
        with _answering(context):
            if not request.HasField("model_spec"):
                raise _invalid("Missing ModelSpec")
            _find(self._double, request.model_spec)
            name = request.model_spec.signature_name
            signature = self._double.signature(name)
            if signature is None:
                message = f'Serving signature key "{name}" not found.'
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
            outputs = self._double.predict(name, _parse_inputs(request.inputs, signature.inputs), request.output_filter)
            response = predict_pb2.PredictResponse()
            response.model_spec.name = self._double.name
            response.model_spec.version.value = self._double.version
            response.model_spec.signature_name = name or "serving_default"
            for alias, value in outputs.items():
                dtype = tf.dtypes.as_dtype(signature.outputs[alias].dtype)
                response.outputs[alias].CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))
            return response

    def GetModelMetadata(self, request, context):
        with _answering(context):
            _find(self._double, request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = self._double.name
            response.model_spec.version.value = self._double.version
            response.metadata["signature_def"].Pack(_signature_map(self._double))
            return response


class _Model(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, double: Double):
        self._double = double

    def GetModelStatus(self, request, context):
        with _answering(context):
            _find(self._double, request.model_spec)
            return self._double.status()


def _signature_map(double: Double) -> Any:
    definitions = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in double.signatures.items():
        definitions.signature_def[name].CopyFrom(signature)
    return definitions


def _parse_inputs(tensors: Mapping[str, Any], infos: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Turns the tensors of a request into arrays, if they are all that the signature has."""
    if len(tensors) != len(infos):
        extra, missing = sorted(set(tensors) - set(infos)), sorted(set(infos) - set(tensors))
        raise _invalid(
            f"input size does not match signature: {len(tensors)}!={len(infos)}. "
            f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )
    for alias in infos:
        if alias not in tensors:
            raise _invalid(f"input tensor alias not found in signature: {', '.join(set(tensors) - set(infos))}")
    return {alias: parse_tensor(alias, tensors[alias], info.dtype) for alias, info in infos.items()}


def parse_tensor(alias: str, proto: Any, dtype: int) -> np.ndarray:
    """Turns a TensorProto into an array by what TF Serving uses, Tensor::FromProto, and never by tf.make_ndarray."""
    if proto.dtype != dtype:
        raise _invalid(f"Expects arg[{alias}] to be {tf.dtypes.as_dtype(dtype).name} but {proto.dtype} is provided")
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    unfit = proto.tensor_shape.unknown_rank or any(size < 0 for size in sizes)
    element = max(tf.dtypes.as_dtype(dtype).size, 24)  # a short string has 24 bytes
    if unfit or np.prod([float(size) for size in sizes]) * element > _TENSOR_LIMIT:
        raise _invalid(f"tensor parsing error: {alias}")
    try:
        value = tf.io.parse_tensor(proto.SerializeToString(), tf.dtypes.as_dtype(dtype)).numpy()
    except (tf.errors.OpError, ValueError):  # a ValueError for shapes that only NumPy does not know
        raise _invalid(f"tensor parsing error: {alias}") from None
    return np.asarray(value, object) if isinstance(value, bytes) else value


# REST ----------------------------------------------------------------------------------------------

_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that went away is no fault of the double
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    double: Double
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    # Head and body in one packet: else each answer waits 40 ms for the client's acknowledgement of its head.
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(rf"{_MODEL}:predict", lambda matched: _predict_json(self.double, body))

    def do_GET(self) -> None:
        def answer(matched: re.Match) -> Any:
            if not matched["metadata"]:
                return _message_json(self.double.status())
            spec = {"name": self.double.name, "version": str(self.double.version), "signature_name": ""}
            return {"model_spec": spec, "metadata": {"signature_def": _message_json(_signature_map(self.double))}}

        self._answer(rf"{_MODEL}(?P<metadata>/metadata)?", answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self, pattern: str, answer) -> None:
        try:
            matched = re.fullmatch(pattern, self.path)
            if matched is None:
                raise _invalid(f"Malformed request: {self.command} {self.path}")
            version = None if matched["version"] is None else int(matched["version"])
            self.double.find(unquote(matched["name"]), version, unquote(matched["label"] or ""))
            status, content = 200, answer(matched)
        except Refused as refusal:
            status, content = _HTTP_STATUS.get(refusal.code, 500), {"error": refusal.message}
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _message_json(message: Any) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _predict_json(double: Double, body: bytes) -> Any:
    """Answers a request in the columnar form."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise _invalid(f"JSON Parse error: {error}") from None
    name = request.get("signature_name", "") if isinstance(request, dict) else ""
    signature = double.signature(name)
    if signature is None:
        raise _invalid(f'Serving signature name: "{name}" not found in signature def')
    columns = request.get("inputs")
    if columns is None:
        raise _invalid("Missing 'inputs' or 'instances' key (this double knows only 'inputs')")
    if not isinstance(columns, dict):
        columns = dict.fromkeys(signature.inputs, columns)
    inputs = {}
    for alias, info in signature.inputs.items():
        if alias not in columns:
            raise _invalid(f"Missing named input tensor: {alias}")
        inputs[alias] = _from_json(columns[alias], info.dtype)
    outputs = double.predict(name, inputs)
    answer = {alias: _to_json(alias, value) for alias, value in outputs.items()}
    return {"outputs": answer if len(answer) > 1 else next(iter(answer.values()))}


def _from_json(column: Any, dtype: int) -> np.ndarray:
    """Turns nested lists of equal lengths into an array."""
    shape, first = [], column
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    kind = tf.dtypes.as_dtype(dtype)
    taken = {tf.string: (str, dict), tf.int64: (int,), tf.float32: (int, float)}[kind]

    def leaves(value: Any, level: int) -> Iterator[Any]:
        if isinstance(value, list):
            if level >= len(shape) or len(value) != shape[level]:
                raise _invalid(f"Encountered list at unexpected size: {len(value)} at level: {level}")
            for part in value:
                yield from leaves(part, level + 1)
            return
        if level != len(shape):
            raise _invalid(f"JSON Value: {json.dumps(value)} found at incorrect level: {level + 1}")
        if not isinstance(value, taken) or isinstance(value, bool):
            raise _invalid(f"JSON Value: {json.dumps(value)} is not of expected type: {kind.name}")
        if isinstance(value, dict):
            if set(value) != {"b64"}:
                raise _invalid(f"JSON Value: {json.dumps(value)} not formatted correctly for base64 data")
            try:
                value = base64.b64decode(value["b64"], validate=True)
            except (ValueError, TypeError):
                raise _invalid("Unable to base64 decode") from None
        yield value.encode() if isinstance(value, str) else value

    values = list(leaves(column, 0))
    if kind == tf.string:
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    try:
        return np.array(values, kind.as_numpy_dtype).reshape(shape)
    except OverflowError:
        raise _invalid(f"Cannot convert a JSON value to {kind.name} without loss of precision.") from None


def _to_json(alias: str, values: np.ndarray) -> Any:
    if values.dtype != object:
        return values.astype(float).tolist()
    if alias.endswith("_bytes"):
        written = [{"b64": base64.b64encode(value).decode()} for value in values.ravel()]
    else:
        written = [value.decode(errors="replace") for value in values.ravel()]
    array = np.empty(len(written), object)
    array[:] = written
    return array.reshape(values.shape).tolist()


# A process -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(path: Path, *flags: str) -> Iterator[tuple[subprocess.Popen, str, str]]:
    """Runs the double in a process of its own, so that a crash is seen and harms nobody.

    Args:
        path: directory of a model.
        flags: further arguments, like "--batching".

    Returns:
        A context with the process, and host and port for gRPC and for REST.
    """
    command = [sys.executable, "-m", "tests.serving_double", "--model", str(path), *flags]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as child:
        try:
            ports = {}
            for line in child.stdout:  # ends when the process does
                protocol, _, server = line.strip().partition(" ")
                ports[protocol] = server
                if len(ports) == 2:
                    break
            else:
                raise RuntimeError(f"the double did not start (exit code {child.wait(_PATIENCE)})")
            yield child, ports["grpc"], ports["rest"]
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def main() -> None:
    """Serves until SIGTERM or Ctrl-C; prints "grpc HOST:PORT" and "rest HOST:PORT" when ready."""
    parser = argparse.ArgumentParser(prog="python -m tests.serving_double", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--grpc_port", type=int, default=0)
    parser.add_argument("--rest_port", type=int, default=0)
    parser.add_argument("--batching", action="store_true")
    parser.add_argument("--allowed_batch_sizes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--window", type=float, default=0.01, help="seconds that a batch waits for further requests")
    parser.add_argument("--warm_up", action="store_true")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with Double(
        arguments.model,
        arguments.batching,
        arguments.allowed_batch_sizes,
        arguments.window,
        grpc_port=arguments.grpc_port,
        rest_port=arguments.rest_port,
        warm_up=arguments.warm_up,
    ) as double:
        print(f"grpc {double.grpc_server}\nrest {double.rest_server}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
