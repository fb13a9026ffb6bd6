"""The client against a test double of TF Serving (tests/serving_double), by both protocols."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import decode_image, to_png
from stargan_tf.serving.client import GrpcClient, RestClient
from stargan_tf.serving.served_model import InvalidRequest, ServerUnavailable, texts
from tests.icc_profiles import ADOBE_RGB, gamma, lut_profile, rgb_profile
from tests.serving.clients import PROTOCOLS, assert_same, connect
from tests.serving.good_requests import ALL, inputs_of
from tests.serving_double.server import Double


@PROTOCOLS
@pytest.mark.parametrize("signature", ALL)
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


@PROTOCOLS
def test_other_formats_are_sent_as_png(protocol, clients, local, sources):
    image, reference = (decode_image(source) for source in sources[:2])
    gif, webp, bmp = (encode(image, "GIF"), encode(reference, "WEBP", lossless=True), encode(image, "BMP"))
    client, png, other = clients[protocol], to_png(decode_image(gif)), to_png(reference)
    assert images(client.translate_latent(gif, "square", [5])) == images(local.translate_latent(png, "square", [5]))
    expected = local.translate_references(sources[0], "circle", [sources[2], other])
    assert images(client.translate_references(bmp, "circle", [sources[2], webp])) == images(expected)
    given = client.encode_styles([gif, sources[2], webp], "triangle")
    np.testing.assert_array_equal(given, local.encode_styles([png, sources[2], other], "triangle"))
    for call, sentence in (
        (lambda: client.translate_latent(webp[:60], "square", [5]), "image_bytes cannot be read: "),
        (lambda: client.translate_references(png, "square", [gif[:60]]), "reference_bytes cannot be read: "),
        (
            lambda: client.encode_styles([encode(Image.new("RGB", (1001, 1000)), "WEBP")], "circle"),
            "image_bytes cannot be read: it has 1001 x 1000 pixels; at most 1000000 pixels are taken",
        ),
    ):
        with pytest.raises(InvalidRequest, match=f"^{sentence}"):
            call()


def test_what_the_graph_decodes_is_sent_byte_for_byte(local, monkeypatch, sources):
    assert local.card["images"]["value_range"] == "full"  # asked for now, as `predict` is replaced
    sent = []
    monkeypatch.setattr(local, "predict", lambda signature, inputs: sent.append(inputs["image_bytes"]) or {"error": []})
    exif = Image.Exif()
    exif[0x0112] = 6
    camera = encode(Image.new("RGB", (9, 5)), "JPEG", icc_profile=rgb_profile(ADOBE_RGB, gamma(2.2)))
    given = [sources[0], encode(Image.new("RGB", (9, 5)), "JPEG", exif=exif), camera, b""]
    with pytest.raises(KeyError):  # there is no style in this answer
        local.encode_styles(given, "circle")
    assert sent[0].tolist() == given


def test_colours_that_the_graph_does_not_know_are_converted(local, monkeypatch):
    assert local.card["images"]["background"] == [255, 255, 255]  # as above
    sent = []
    monkeypatch.setattr(local, "predict", lambda signature, inputs: sent.append(inputs["image_bytes"]) or {"error": []})
    given = encode(Image.new("RGB", (9, 5), (200, 100, 50)), "JPEG", icc_profile=lut_profile(0.5, 0.5))
    with pytest.raises(KeyError):  # there is no style in this answer
        local.encode_styles([given], "circle")
    assert Image.open(io.BytesIO(sent[0][0])).format == "PNG"
    np.testing.assert_array_equal(np.asarray(decode_image(sent[0][0])), np.asarray(decode_image(given)))


def encode(image, encoding, **options) -> bytes:
    with io.BytesIO() as file:
        image.save(file, encoding, **options)
        return file.getvalue()


def images(translations) -> list[bytes]:
    return [translation.image for translation in translations]


@pytest.fixture(scope="module")
def echo(echo_model):
    with Double(echo_model) as double:
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


def test_a_format_has_any_case_and_old_servers_get_the_name_that_they_know(local, monkeypatch, sources):
    assert local.card["style_dim"] == 8  # asked for now, as `predict` is replaced
    sent = []
    answer = {"error": [b""], "image_bytes": [b""], "style": [None]}
    monkeypatch.setattr(local, "predict", lambda signature, inputs: sent.append(inputs["format"][0]) or answer)
    for name in ("jpg", "JPG", "Jpeg", "Png", "BMP"):
        local.translate_styles(sources[0], np.zeros((1, 8)), name)
    assert sent == [b"jpeg", b"jpeg", b"jpeg", b"png", b"bmp"]


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(20)), "image_bytes looks like base64; it must be the bytes of"),
        (base64.b64encode(b"RIFF" + bytes(20)), "image_bytes looks like base64; it must be the bytes of an image file"),
        (b"data:image/webp;base64,UklGR", "image_bytes looks like base64"),
        ("/9j/4AAQ", "image_bytes is of the type str; it must be the bytes of an image file"),
        (Path("photo.jpg"), "image_bytes is of the type PosixPath; it must be the bytes of an image file"),
    ],
)
def test_what_are_not_the_bytes_of_a_file_is_told(image, sentence, local):
    with pytest.raises(InvalidRequest, match=f"^{sentence}"):
        local.encode_styles([image], "circle")


def test_lengths_are_refused_in_the_words_of_the_graph(local, clients):
    for call in (
        lambda model: model.map_latents(np.zeros((2, 7)), "circle"),
        lambda model: model.translate_styles(b"", np.zeros((1, 9))),
        lambda model: model.predict(
            "encode_style_float", {"image": np.zeros((1, 16, 32, 3)), "domain": texts(["circle"])}
        ),
        lambda model: model.predict("encode_style_plain", {"image": np.zeros((1, 8, 8, 3)), "domain": [0]}),
    ):
        sentences = []
        for model in (local, *clients.values()):
            with pytest.raises(InvalidRequest) as error:
                call(model)
            sentences.append(str(error.value))
        assert len(set(sentences)) == 1


@PROTOCOLS
def test_status_by_label_is_that_of_its_version(protocol, exported_model, session):
    with Double(exported_model, session=session, unloaded=(3, 4)) as double:
        with connect(protocol, double) as client:
            assert client.status() == {1: "AVAILABLE", 3: "END", 4: "END"}
        with connect(protocol, double, label="stable") as client:
            assert client.status() == {1: "AVAILABLE"}
        with connect(protocol, double, label="gone") as client, pytest.raises(InvalidRequest, match="label: gone"):
            client.status()


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
