"""Requests that the server merges: clients that use it at the same time get their own answers."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.serving.served_model import InvalidRequest
from tests.serving.clients import PATIENCE, connect
from tests.serving_double.server import Double


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


def test_a_request_larger_than_a_batch_is_split(exported_model, session, local, sources):
    seeds = range(8)
    expected = local.translate_latent(sources[0], "circle", seeds)
    sizes = {"allowed_batch_sizes": (1, 2), "max_batch_size": 8}
    with Double(exported_model, batching=True, session=session, **sizes) as double, connect("grpc", double) as client:
        assert are_alike(client.translate_latent(sources[0], "circle", seeds), expected)
        assert {rows for name, _, rows in double.runs if name == "translate_latent"} == {2}
        with pytest.raises(InvalidRequest, match="Task size 9 is larger than maximum input batch size 8"):
            client.translate_latent(sources[0], "circle", range(9))


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
