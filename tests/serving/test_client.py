"""The client against a test double of TF Serving (tests/serving_double.py), by both protocols."""

import io
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import to_png
from stargan_tf.serving import remote_model
from stargan_tf.serving.client import GrpcClient, RestClient, main
from stargan_tf.serving.served_model import InvalidRequest, ServerUnavailable, texts
from tests.serving.test_signatures import SIGNATURES, inputs_of
from tests.serving_double import HOST, Double

PROTOCOLS = pytest.mark.parametrize("protocol", ["grpc", "rest"])

# No call may take longer, so that a fault does not hang the suite.
PATIENCE = 60.0


@pytest.fixture
def local(local_model):
    return local_model


@pytest.fixture(scope="module")
def double(exported_model):
    with Double(exported_model) as double:
        yield double


@pytest.fixture(scope="module")
def sources(images_path) -> list[bytes]:
    return [(images_path / "val" / domain / "00000.png").read_bytes() for domain in ("circle", "square", "triangle")]


@pytest.fixture(scope="module")
def noise() -> bytes:
    """An image that no program can make smaller: 600 kB."""
    return to_png(Image.fromarray(np.random.default_rng(0).integers(0, 256, (450, 450, 3), np.uint8)))


def connect(protocol: str, double, **limits):
    server = double.grpc_server if protocol == "grpc" else double.rest_server
    return {"grpc": GrpcClient, "rest": RestClient}[protocol](server, timeout=limits.pop("timeout", PATIENCE), **limits)


@pytest.fixture(scope="module")
def clients(double):
    with connect("grpc", double) as by_grpc, connect("rest", double) as by_rest:
        yield {"grpc": by_grpc, "rest": by_rest}


def assert_same(outputs, expected):
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        assert outputs[name].dtype == values.dtype
        assert outputs[name].shape == values.shape
        assert np.array_equal(outputs[name], values), name


# ---------------------------------------------------------------------- equal to the model loaded here


@PROTOCOLS
@pytest.mark.parametrize("signature", SIGNATURES)
def test_every_signature_equals_the_local_model(signature, protocol, clients, local, sources):
    inputs = inputs_of(signature, 3, sources)
    assert_same(clients[protocol].predict(signature, inputs), local.predict(signature, inputs))


@PROTOCOLS
def test_every_method_equals_the_local_model(protocol, clients, local, sources):
    random = np.random.default_rng(0)
    latents, styles = random.standard_normal((2, 4)), random.standard_normal((2, 8))

    def answers(model):
        return [
            model.domains,
            model.card,
            *model.translate_latent(sources[0], "square", [5, 2**63 - 1], psi=0.5, format="jpeg"),
            *model.translate_latent_codes(sources[1], "circle", latents),
            *model.translate_references(sources[2], "circle", sources[:2]),
            *model.translate_styles(sources[0], styles, "jpeg"),
            model.encode_styles(sources, "triangle"),
            model.map_latents(latents, "triangle", 0.25),
        ]

    for given, expected in zip(answers(clients[protocol]), answers(local), strict=True):
        if hasattr(expected, "style"):
            assert given.image == expected.image
            given, expected = given.style, expected.style
        assert np.array_equal(given, expected)


@PROTOCOLS
def test_a_batch_with_a_bad_row_is_answered(protocol, clients, local, sources):
    inputs = inputs_of("translate_latent", 3, sources) | {"domain": texts(["circle", "Kätzchen 猫", b"\xff\x00"])}
    outputs = clients[protocol].predict("translate_latent", inputs)
    assert_same(outputs, local.predict("translate_latent", inputs))
    assert outputs["error"][0] == b""
    assert outputs["error"][1].decode() == "domain is 'Kätzchen 猫'; it must be one of circle, square, triangle"
    assert outputs["error"][2].startswith(b"domain is '")


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """A double of a model that gives back what it gets; one of its signatures has only one output."""
    module = tf.Module()
    spec = tf.TensorSpec([None], tf.string, name="text")
    module.both = tf.function(lambda text: {"text": text, "text_bytes": text}, input_signature=[spec])
    module.one = tf.function(lambda text: {"text": text}, input_signature=[spec])
    path = tmp_path_factory.mktemp("echo") / "echo"
    signatures = {"both": module.both, "one": module.one}
    tf.saved_model.save(module, str(path / "7"), signatures=signatures)
    with Double(path) as double:
        yield double


@PROTOCOLS
def test_texts_of_any_language_and_bytes(protocol, echo):
    with connect(protocol, echo, model="echo") as client:
        words = texts(["Kätzchen", "猫", "", "a\0", "\U0001f408"])
        assert_same(client.predict("both", {"text": words}), {"text": words, "text_bytes": words})
        # TF Serving's JSON leaves out the name of a single output.
        assert_same(client.predict("one", {"text": words}), {"text": words})
        raw = client.predict("both", {"text": texts([b"\xff\xfe\x00"])})
        assert raw["text_bytes"][0] == b"\xff\xfe\x00"


# ---------------------------------------------------------------------- refusals


@PROTOCOLS
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda client, image: client.translate_latent(image, "Kätzchen", [1, 2]),
            "domain is 'Kätzchen'; it must be one of circle, square, triangle",
        ),
        (
            lambda client, image: client.translate_latent(image, "o'c\"\\t", [1]),
            "domain is 'o'c\"\\t'; it must be one of circle, square, triangle",
        ),
        (
            lambda client, image: client.translate_latent(image, "circle", [1], psi=1.5),
            "psi is 1.5; it must be between",
        ),
        (lambda client, image: client.translate_latent(image, "circle", [1], format="bmp"), "format is 'bmp'; it"),
        (lambda client, image: client.translate_latent(b"", "circle", [1]), "image_bytes is empty"),
        (lambda client, image: client.encode_styles([image[:60]], "circle"), "image_bytes is a damaged PNG file"),
        (lambda client, image: client.map_latents(np.zeros((2, 7)), "circle"), "latent has 7 numbers; it must have 4"),
        (lambda client, image: client.translate_styles(image, [[0.0] * 9]), "style has 9 numbers; it must have 8"),
        (
            lambda client, image: client.map_latents([[np.nan] * 4], "circle"),
            "latent holds a number that is not finite",
        ),
        (lambda client, image: client.translate_latent(image, "circle", []), "has no rows; it must have at least one"),
        (lambda client, image: client.predict("domains", {}), "Missing"),
    ],
)
def test_a_refusal_is_the_models_sentence(call, sentence, protocol, clients, sources):
    with pytest.raises(InvalidRequest) as error:
        call(clients[protocol], sources[0])
    assert sentence in str(error.value)
    assert "assertion" not in str(error.value)


def test_lengths_are_refused_in_the_words_of_the_graph(local, clients):
    for call in (
        lambda model: model.map_latents(np.zeros((2, 7)), "circle"),
        lambda model: model.translate_styles(b"", np.zeros((1, 9))),
    ):
        sentences = []
        for model in (local, *clients.values()):
            with pytest.raises(InvalidRequest) as error:
                call(model)
            sentences.append(str(error.value))
        assert len(set(sentences)) == 1


@PROTOCOLS
def test_what_is_not_served(protocol, double, clients):
    assert clients[protocol].status() == {1: "AVAILABLE"}
    for limits, sentence in (
        ({"model": "unicorn"}, "does not serve 'unicorn': Servable not found for request: Latest(unicorn)"),
        ({"version": 9}, "does not serve 'stargan' version 9: "),
    ):
        with connect(protocol, double, **limits) as client:
            for call in (client.status, lambda client=client: client.card):
                with pytest.raises(ServerUnavailable, match=r"does not serve") as error:
                    call()
                assert sentence in str(error.value)
    with connect(protocol, double, label="stable") as client:
        assert client.domains == ("circle", "square", "triangle")
    with connect(protocol, double, label="grün") as client, pytest.raises(InvalidRequest, match="label: grün"):
        client.predict("domains", {"request": texts([""])})
    with connect(protocol, double, version=1) as client:
        assert client.card["version"] == 1
    with pytest.raises(UserError, match="only one of them"):
        connect(protocol, double, version=1, label="stable")


def test_an_unknown_signature_is_named(clients):
    # TF Serving answers with different codes.
    with pytest.raises(ServerUnavailable, match=r'FAILED_PRECONDITION .* signature key "nope" not found'):
        clients["grpc"].predict("nope", {"request": texts([""])})
    with pytest.raises(InvalidRequest, match='signature name: "nope" not found'):
        clients["rest"].predict("nope", {"request": texts([""])})


# ---------------------------------------------------------------------- tries, timeouts, sizes


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


# ---------------------------------------------------------------------- imports


def test_importing_the_client_is_cheap():
    code = "import sys, stargan_tf.serving.client; print({'tensorflow', 'grpc', 'requests'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout == "set()\n"


@pytest.mark.parametrize(
    ("client", "package"), [(GrpcClient, "grpc"), (GrpcClient, "tensorflow_serving"), (RestClient, "requests")]
)
def test_a_missing_package_is_named(client, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"{package} is missing; `pip install 'stargan-tf\[serving\]'`"):
        client()


# ---------------------------------------------------------------------- merged requests


def together(calls):
    """Makes all calls at the same time; returns results and exceptions in order."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait(PATIENCE)
        try:
            return call()
        except UserError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(PATIENCE) for future in [pool.submit(run, call) for call in calls]]


@pytest.fixture(scope="module")
def merging(exported_model):
    """A double that merges requests."""
    with Double(exported_model, batching=True, window=0.1) as double:
        yield double


def are_alike(given, expected) -> bool:
    """Whether two answers are the same, but for the rounding of a row, which some processors let its batch decide."""
    if isinstance(expected, str):
        return given == expected
    if isinstance(expected, np.ndarray):
        return given.shape == expected.shape and np.allclose(given, expected, rtol=1e-4, atol=1e-5)
    return len(given) == len(expected) and all(
        are_alike(one.style, other.style) and np.abs(pixels(one.image) - pixels(other.image)).max() <= 2
        for one, other in zip(given, expected, strict=True)
    )


def pixels(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)), np.int32)


def test_merged_requests_do_not_touch_one_another(merging, local, sources):
    good = [("circle", 1), ("square", 2), ("triangle", 3)]
    bad = {"zebra": "domain is 'zebra'; it must be", "Kätzchen": "domain is 'Kätzchen'; it must be"}
    expected = [local.translate_latent(sources[0], domain, [seed]) for domain, seed in good]
    assert not are_alike(expected[0], expected[1])
    with connect("grpc", merging) as client:
        # The first call of a signature takes seconds, and calls at the same time would all be the first.
        client.translate_latent(sources[0], "circle", [1])
        client.map_latents(np.zeros((1, 4)), "circle")
        for _ in range(3):
            answers = together(
                [lambda pair=pair: client.translate_latent(sources[0], pair[0], [pair[1]]) for pair in good]
                + [lambda name=name: client.translate_latent(sources[0], name, [4]) for name in bad]
                + [lambda: client.translate_latent(sources[0][:60], "circle", [5])]
                + [lambda: client.map_latents(np.zeros((1, 5)), "circle")]
            )
            assert all(map(are_alike, answers[:3], expected))
            for given, sentence in zip(answers[3:5], bad.values(), strict=True):
                assert sentence in str(given)
            assert "image_bytes is a damaged PNG file" in str(answers[5])
            assert str(answers[6]) == "latent has 5 numbers; it must have 4"
        merged = [(requests, rows) for signature, requests, rows in merging.runs if signature == "translate_latent"]
        assert max(requests for requests, _ in merged) > 1
        assert {rows for _, rows in merged} <= {1, 2, 4, 8}
        # All wrong in the same way: the call fails, also when it is padded.
        answers = together([lambda: client.translate_latent(sources[0], "zebra", [1])] * 3)
        assert all(isinstance(answer, InvalidRequest) and "zebra" in str(answer) for answer in answers)


def test_other_lengths_would_spoil_a_merged_batch(merging):
    """Why the client checks shapes: the double, like TF Serving, refuses all that it merged."""
    with connect("grpc", merging) as client:
        client._check_shapes = lambda inputs: None
        calls = [lambda length=length: client.map_latents(np.zeros((1, length)), "circle") for length in (4, 5)]
        # They may just miss one another.
        attempts = (together(calls) for _ in range(10))
        assert any(all("different shapes" in str(answer) for answer in answers) for answers in attempts)


def test_load(merging, local, sources):
    """Eight users, 25 requests each, of all kinds and by both protocols, merged by the server."""

    def requests(model):
        random = np.random.default_rng(0)
        latents, styles = random.standard_normal((2, 4)), random.standard_normal((2, 8))
        kinds = [
            lambda index: model.translate_latent(sources[index % 3], "square", [index, index + 1], 0.5),
            lambda index: model.translate_latent_codes(sources[index % 3], "circle", latents, format="jpeg"),
            lambda index: model.translate_references(sources[index % 3], "triangle", [sources[0]]),
            lambda index: model.translate_styles(sources[index % 3], styles[:1]),
            lambda index: model.encode_styles(sources[: index % 3 + 1], "circle"),
            lambda index: model.map_latents(latents, "circle", 0.1 * (index % 3)),
            lambda index: model.translate_latent(sources[0], f"zebra {index % 3}", [1]),
            lambda index: model.encode_styles([sources[0][: 40 + index % 3]], "circle"),
        ]
        return [lambda kind=kind, index=index: kind(index) for kind in kinds for index in range(3)]

    def outcome(call):
        try:
            return call()
        except InvalidRequest as error:
            return str(error).partition(" (row")[0]

    expected = [outcome(call) for call in requests(local)]
    assert sum(isinstance(each, str) for each in expected) == 6
    clients = [connect(("grpc", "rest")[user % 2], merging) for user in range(8)]
    for call in requests(clients[0])[::3]:  # one of each kind, since the first call of a signature takes seconds
        outcome(call)
    runs = len(merging.runs)

    def use(user):
        calls = requests(clients[user])
        order = np.random.default_rng(user).integers(0, len(calls), 25)
        return [(index, outcome(calls[index])) for index in order]

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result(PATIENCE) for future in [pool.submit(use, user) for user in range(8)]]
    for client in clients:
        client.close()
    assert sum(requests > 1 for _, requests, _ in merging.runs[runs:]) > 5
    assert sum(map(len, answers)) == 200
    wrong = [index for each in answers for index, given in each if not are_alike(given, expected[index])]
    assert not wrong


# ---------------------------------------------------------------------- the command


@pytest.fixture
def command(double, tmp_path, monkeypatch, sources):
    """Runs the command in an empty directory with an image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(sources[0])
    (tmp_path / "reference.png").write_bytes(sources[1])

    def run(*words, protocol="grpc"):
        server = double.grpc_server if protocol == "grpc" else double.rest_server
        return main(["--server", server, "--protocol", protocol, *words])

    return run


@PROTOCOLS
def test_translate_by_seeds_and_again_by_the_style(protocol, command, local, sources, tmp_path, capsys):
    words = ["translate", "--image", "photo.png", "--domain", "square", "--seed", "7", "--styles", "2", "--psi", "0.5"]
    assert command(*words, "--output", "new/deep", protocol=protocol) == 0
    assert "wrote new/deep/photo_square_7.png and photo_square_7.npy" in capsys.readouterr().out
    expected = local.translate_latent(sources[0], "square", [7, 8], 0.5)
    for seed, translation in zip((7, 8), expected, strict=True):
        assert (tmp_path / f"new/deep/photo_square_{seed}.png").read_bytes() == translation.image
        np.testing.assert_array_equal(np.load(tmp_path / f"new/deep/photo_square_{seed}.npy"), translation.style)
    assert len(list((tmp_path / "new/deep").iterdir())) == 4

    words = ["translate", "--image", "photo.png", "--style", "new/deep/photo_square_8.npy", "--output", "again.jpg"]
    assert command(*words, protocol=protocol) == 0
    again = local.translate_styles(sources[0], expected[1].style[None], "jpeg")[0]
    assert (tmp_path / "again.jpg").read_bytes() == again.image
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), expected[1].style)


def test_translate_by_a_style_file_of_sample(command, local, sources, tmp_path):
    style = local.translate_latent(sources[0], "square", [7], 0.5)[0].style
    entry = {"domain": "square", "networks": "0123456789ab", "style": style.tolist()}
    (tmp_path / "square_0.json").write_text(json.dumps(entry))
    (tmp_path / "words.json").write_text('{"style": "square"}')
    words = ["translate", "--image", "photo.png", "--output", "again.png", "--style"]
    assert command(*words, "words.json") == 2
    assert command(*words, "square_0.json") == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), style)


def test_translate_by_a_reference(command, local, sources, tmp_path):
    words = ["translate", "--image=photo.png", "--reference=reference.png", "--domain=circle", "--output=."]
    assert command(*words, "--format", "jpeg") == 0
    expected = local.translate_references(sources[0], "circle", [sources[1]], "jpeg")[0]
    assert (tmp_path / "photo_circle_reference.jpg").read_bytes() == expected.image


def test_domains_and_status(command, capsys):
    assert command("domains") == 0
    out = capsys.readouterr().out
    assert "domains: circle, square, triangle\n" in out
    assert "latent_dim: 4\n" in out
    assert command("status", protocol="rest") == 0
    assert capsys.readouterr().out == "version 1: AVAILABLE\n"


@pytest.mark.parametrize("suffix", [".png", ".npy"])
def test_nothing_is_overwritten_and_nothing_asked(suffix, command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(GrpcClient, "_predict", lambda *arguments: pytest.fail("the server was asked"))
    (tmp_path / f"photo_circle_1{suffix}").write_text("precious")
    words = ["translate", "--image", "photo.png", "--domain", "circle", "--styles", "3"]
    assert command(*words, "--output", ".") == 2
    assert f"'photo_circle_1{suffix}' exists" in capsys.readouterr().err
    (tmp_path / f"cat{suffix}").write_text("precious")
    assert command("translate", "--image", "photo.png", "--domain", "circle", "--output", "cat.png") == 2
    assert f"'cat{suffix}' exists" in capsys.readouterr().err
    assert {path.read_text() for path in tmp_path.iterdir() if path.suffix == suffix and "_" in path.name} == {
        "precious"
    }
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--domain", "zebra"], "domain is 'zebra'; it must be one of circle, square, triangle"),
        (["--domain", "circle", "--psi", "2"], "psi is 2; it must be between 0 and 1"),
        (["--domain", "circle", "--image", "nowhere.png"], "cannot read 'nowhere.png' (--image)"),
        (["--domain", "circle", "--reference", "nowhere.png"], "cannot read 'nowhere.png' (--reference)"),
        (["--style", "nowhere.npy"], "cannot read 'nowhere.npy' (--style)"),
        (["--style", "photo.png"], "'photo.png' (--style) is not a .npy file"),
        (["--style", "long.npy"], "style has 9 numbers; it must have 8"),
        (["--style", "words.npy"], "'words.npy' (--style) does not hold a style code"),
        (["--style", "long.npy", "--domain", "circle"], "--domain is 'circle', but the style codes"),
        (["--style", "long.npy", "--seed", "3"], "--seed and --style are given"),
        ([], "--domain is not given"),
        (["--domain", "circle", "--styles", "0"], "--styles is 0; it must be at least 1"),
        (["--domain", "circle", "--seed", str(2**63)], f"--seed is {2**63}; seeds must be whole numbers of 64 bits"),
        (["--domain", "circle", "--styles", "2", "--output", "one.png"], "one file, but 2 images"),
        (["--domain", "circle", "--output", "one.png", "--format", "jpeg"], "--format is jpeg, but --output"),
        (["--domain", "circle", "--timeout", "0"], "--timeout is 0.0; it must be more than 0"),
        (["--domain", "circle", "--retries", "-1"], "--retries is -1; it must be at least 0"),
        (["--domain", "circle", "--model", "unicorn"], "does not serve 'unicorn'"),
        (["--domain", "circle", "--server", f"{HOST}:1", "--retries", "0"], f"{HOST}:1 is unavailable; tried 1 times"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_a_mistake_gets_one_sentence(words, sentence, command, tmp_path, capfd):
    np.save(tmp_path / "long.npy", np.zeros(9, np.float32))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    before = set(tmp_path.iterdir())
    defaults = {"--image": "photo.png", "--output": "new"}
    for flag, value in defaults.items():
        if flag not in words:
            words = [flag, value, *words]
    assert command("translate", *words) == 2
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert set(tmp_path.iterdir()) == before


def test_an_action_must_be_named(capsys):
    assert main(["--server", "somewhere"]) == 2
    assert "no action is named; it must be one of translate, domains, status" in capsys.readouterr().err
    assert main(["conquer", "--server", "somewhere"]) == 2
    assert "the action is 'conquer'" in capsys.readouterr().err
    for words, shown in ((["--help"], "Actions: translate"), (["translate", "--help"], "--reference REFERENCE")):
        with pytest.raises(SystemExit, match="0"):
            main(words)
        assert shown in capsys.readouterr().out
