"""Clients when the server is away, slow, or answers too much: further tries, time limits, sizes."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from stargan_tf.serving import remote_model
from stargan_tf.serving.client import RestClient
from stargan_tf.serving.served_model import InvalidRequest, ServerUnavailable, texts
from tests.serving.clients import PATIENCE, PROTOCOLS, assert_same, connect
from tests.serving_double.server import HOST

UNAVAILABLE, INVALID, INTERNAL = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.INTERNAL,
)


class Scripted:
    """Servers for both protocols that answer with given codes, one after the other, and then well.

    Args:
        protocol: the one to speak.
        codes: gRPC codes.
        size: bytes of the text in a good answer.
        delay: seconds before each answer.
        ports: gRPC or HTTP port; by default any.
    """

    HTTP: ClassVar = {
        grpc.StatusCode.UNAVAILABLE: 503,
        grpc.StatusCode.INVALID_ARGUMENT: 400,
        grpc.StatusCode.INTERNAL: 500,
    }

    def __init__(self, protocol, codes=(), size=1, delay=0.0, port=0):
        self.calls = 0
        self._codes = list(codes)
        self._stopped = threading.Event()

        def wait():
            self.calls += 1
            self._stopped.wait(delay)
            return self._codes.pop(0) if self._codes else None

        if protocol == "grpc":

            class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
                def Predict(self, request, context):
                    code = wait()
                    if code is not None:
                        context.abort(code, "scripted")
                    response = predict_pb2.PredictResponse()
                    response.outputs["text"].CopyFrom(tf.make_tensor_proto([b"x" * size]))
                    return response

            self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
            prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), self._server)
            self.grpc_server = f"{HOST}:{self._server.add_insecure_port(f'{HOST}:{port}')}"
            self._server.start()
        else:
            http = {UNAVAILABLE: 503, INVALID: 400, INTERNAL: 500}

            class Handler(BaseHTTPRequestHandler):
                def do_POST(self):
                    self.rfile.read(int(self.headers["Content-Length"]))
                    code = wait()
                    content = {"error": "scripted"} if code else {"outputs": {"text": ["x" * size]}}
                    self.send_response(http[code] if code else 200)
                    self.end_headers()
                    self.wfile.write(json.dumps(content).encode())

                def log_message(self, *arguments):
                    pass

            class Server(ThreadingHTTPServer):
                def handle_error(self, *arguments):  # clients that time out go away
                    pass

            self._server = Server((HOST, port), Handler)
            self.rest_server = f"{HOST}:{self._server.server_port}"
            threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._stopped.set()
        if isinstance(self._server, ThreadingHTTPServer):
            self._server.shutdown()
            self._server.server_close()
        else:
            self._server.stop(0).wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(remote_model, "_FIRST_PAUSE", 0.01)


def ask(client):
    return client.predict("any", {"text": texts(["?"])})


@PROTOCOLS
@pytest.mark.parametrize(
    ("codes", "retries", "calls", "error"),
    [
        ([UNAVAILABLE] * 2, 3, 3, None),
        ([UNAVAILABLE] * 9, 3, 4, ServerUnavailable),
        ([UNAVAILABLE], 0, 1, ServerUnavailable),
        ([INVALID], 3, 1, InvalidRequest),
        ([INTERNAL], 3, 1, ServerUnavailable),
        ([UNAVAILABLE, INVALID], 3, 2, InvalidRequest),
    ],
)
def test_only_an_unavailable_server_is_asked_again(codes, retries, calls, error, protocol, hasty):
    with Scripted(protocol, codes) as server, connect(protocol, server, retries=retries) as client:
        if error is None:
            assert ask(client)["text"][0] == b"x"
        else:
            with pytest.raises(error, match="scripted"):
                ask(client)
        assert server.calls == calls


@PROTOCOLS
def test_a_server_that_comes_up_late(protocol, monkeypatch):
    monkeypatch.setattr(remote_model, "_FIRST_PAUSE", 0.1)
    with Scripted(protocol) as server:  # a port that is free
        pass
    with ThreadPoolExecutor(1) as pool, connect(protocol, server, retries=8) as client:
        answer = pool.submit(ask, client)
        time.sleep(0.3)
        assert not answer.done()
        with Scripted(protocol, port=int(client.server.rpartition(":")[2])):
            assert answer.result(PATIENCE)["text"][0] == b"x"


@PROTOCOLS
def test_nobody_there(protocol, hasty):
    with Scripted(protocol) as server:
        pass
    with connect(protocol, server, retries=2) as client, pytest.raises(ServerUnavailable) as error:
        ask(client)
    assert f"{client.server} is unavailable; tried 3 times" in str(error.value)
    assert "refused" in str(error.value)


@PROTOCOLS
def test_a_call_ends_in_time(protocol, monkeypatch):
    with Scripted(protocol, delay=20) as server, connect(protocol, server, timeout=0.3) as client:
        start = time.monotonic()
        with pytest.raises(ServerUnavailable, match=r"no answer within 0\.3 s"):
            ask(client)
        assert time.monotonic() - start < 5
        assert server.calls == 1
    # The pauses count too.
    monkeypatch.setattr(remote_model, "_FIRST_PAUSE", 0.2)
    with Scripted(protocol, [UNAVAILABLE] * 99) as server, connect(protocol, server, timeout=1, retries=99) as client:
        start = time.monotonic()
        with pytest.raises(ServerUnavailable, match=r"tried [1-9] times"):
            ask(client)
        assert time.monotonic() - start < 5


@PROTOCOLS
def test_large_messages(protocol, clients, local, noise):
    many = {"image_bytes": texts([noise] * 8), "domain": texts(["circle"] * 8)}
    assert sum(map(len, many["image_bytes"])) > 4 * 2**20
    assert_same(clients[protocol].predict("encode_style", many), local.predict("encode_style", many))
    with Scripted(protocol, size=5 * 2**20) as server:
        with connect(protocol, server) as client:
            assert len(ask(client)["text"][0]) == 5 * 2**20
        with connect(protocol, server, max_message_mb=2) as client:
            with pytest.raises(ServerUnavailable, match="max_message_mb"):
                ask(client)
            calls = server.calls
            with pytest.raises(ServerUnavailable, match="max_message_mb"):
                client.predict("any", {"image_bytes": texts([noise] * 8)})
            assert server.calls == calls


@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_not_of_tf_serving(status):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>a proxy's page</html>")

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with (
            RestClient(f"http://{HOST}:{server.server_port}/", timeout=PATIENCE) as client,
            pytest.raises(ServerUnavailable, match=f"HTTP {status} .*a proxy's page"),
        ):
            client.status()
        server.shutdown()
