"""TF Serving's REST interface, by the paths and the JSON that it documents."""

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tests.serving_double.guard import Guard
from tests.serving_double.refusals import PATIENCE, Refused, invalid
from tests.serving_double.served import Served
from tests.serving_double.versions import Versions

_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that went away is no fault of the server
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    served: Served | Versions
    guard: Guard
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    # Head and body in one packet: else each answer waits 40 ms for the client's acknowledgement of its head.
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(rf"{_MODEL}:predict", lambda served: _predict_json(served, body))

    def do_GET(self) -> None:
        def answer(served: Served | None) -> Any:
            if served is None:
                return _message_json(self.served.status())
            spec = {"name": served.name, "version": str(served.version), "signature_name": ""}
            return {"model_spec": spec, "metadata": {"signature_def": _message_json(served.signature_map())}}

        if self.path == "/monitoring/prometheus/metrics":
            self._send(200, "text/plain", _metrics(self.served))
        else:
            self._answer(rf"{_MODEL}(?P<metadata>/metadata)?", answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _answer(self, pattern: str, answer: Callable[[Any], Any]) -> None:
        """Answers by what is served at the path, or for the status by None."""
        try:
            refusal = self.guard.refusal({name.lower(): value for name, value in self.headers.items()})
            if refusal is not None:
                raise Refused(grpc.StatusCode.UNAUTHENTICATED, refusal)
            matched = re.fullmatch(pattern, self.path)
            if matched is None:
                raise invalid(f"Malformed request: {self.command} {self.path}")
            version = None if matched["version"] is None else int(matched["version"])
            if self.command == "GET" and not matched["metadata"]:
                self.served.find_version(unquote(matched["name"]), version)
                served = None
            else:
                served = self.served.find(unquote(matched["name"]), version, unquote(matched["label"] or ""))
            status, content = 200, answer(served)
        except Refused as refusal:
            status, content = _HTTP_STATUS.get(refusal.code, 500), {"error": refusal.message}
        self._send(status, "application/json", json.dumps(content, ensure_ascii=False))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _message_json(message: Any) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _metrics(served: Served | Versions) -> str:
    """The counters that are looked at, as Prometheus reads them."""
    prefix, labels = ":tensorflow:serving:", f'model_name="{served.name}"'
    return (
        f'{prefix}request_count{{{labels},status="OK"}} {served.answered}\n'
        f"{prefix}batching_session:wrapped_run_count{{{labels}}} {len(served.runs)}\n"
    )


def _predict_json(served: Served, body: bytes) -> Any:
    """Answers a request in the columnar form."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    name = request.get("signature_name", "") if isinstance(request, dict) else ""
    signature = served.signature(name)
    if signature is None:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    columns = request.get("inputs")
    if columns is None:
        raise invalid("Missing 'inputs' or 'instances' key (this double knows only 'inputs')")
    if not isinstance(columns, dict):
        columns = dict.fromkeys(signature.inputs, columns)
    inputs = {}
    for alias, info in signature.inputs.items():
        if alias not in columns:
            raise invalid(f"Missing named input tensor: {alias}")
        inputs[alias] = _from_json(columns[alias], info.dtype)
    outputs = served.predict(name, inputs)
    answer = {alias: _to_json(alias, value) for alias, value in outputs.items()}
    return {"outputs": answer if len(answer) > 1 else next(iter(answer.values()))}


def _from_json(column: Any, dtype: int) -> np.ndarray:
    """Turns nested lists of equal lengths into an array."""
    shape, first = [], column
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    kind = tf.dtypes.as_dtype(dtype)
    taken = {tf.string: (str, dict), tf.int32: (int,), tf.int64: (int,), tf.float32: (int, float)}[kind]

    def leaves(value: Any, level: int) -> Iterator[Any]:
        if isinstance(value, list):
            if level >= len(shape) or len(value) != shape[level]:
                raise invalid(f"Encountered list at unexpected size: {len(value)} at level: {level}")
            for part in value:
                yield from leaves(part, level + 1)
            return
        if level != len(shape):
            raise invalid(f"JSON Value: {json.dumps(value)} found at incorrect level: {level + 1}")
        if not isinstance(value, taken) or isinstance(value, bool):
            raise invalid(f"JSON Value: {json.dumps(value)} is not of expected type: {kind.name}")
        if isinstance(value, dict):
            if set(value) != {"b64"}:
                raise invalid(f"JSON Value: {json.dumps(value)} not formatted correctly for base64 data")
            try:
                value = base64.b64decode(value["b64"], validate=True)
            except (ValueError, TypeError):
                raise invalid("Unable to base64 decode") from None
        yield value.encode() if isinstance(value, str) else value

    values = list(leaves(column, 0))
    if kind == tf.string:
        array = np.empty(len(values), object)
        array[:] = values
        return array.reshape(shape)
    try:
        return np.array(values, kind.as_numpy_dtype).reshape(shape)
    except OverflowError:
        raise invalid(f"Cannot convert a JSON value to {kind.name} without loss of precision.") from None


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
