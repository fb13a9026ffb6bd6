"""The exported graph, loaded in three ways: as functions, as a session, and in a process without this package."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from stargan_tf.data.images import decode_image, fit_image, to_array, to_image, to_png
from stargan_tf.serving import warmup
from stargan_tf.serving.served_model import InvalidRequest, invalid_request, texts
from tests.serving.good_requests import ALL, DOMAINS, PLAIN, SIGNATURES, TRANSLATIONS, inputs_of


@pytest.fixture
def model(local_model):
    return local_model


# ---------------------------------------------------------------------- equal to the translator


def test_translations_are_the_translators(model, translator, sources):
    image = to_array(decode_image(sources[0]))[None]
    latents = translator.draw_latents(3, seed=5)
    styles = translator.styles_from_latents(latents, "square", psi=0.7)
    expected = [np.asarray(to_image(output)) for output in translator.translate(np.repeat(image, 3, 0), styles)]
    for translations in (
        model.translate_latent(sources[0], "square", [5, 6, 7], psi=0.7),
        model.translate_latent_codes(sources[0], "square", latents, psi=0.7),
        model.translate_styles(sources[0], styles),
    ):
        np.testing.assert_allclose([translation.style for translation in translations], styles, atol=1e-5)
        for translation, pixels in zip(translations, expected, strict=True):
            np.testing.assert_array_equal(np.asarray(decode_image(translation.image)), pixels)


def test_reference_guided_translations_are_the_translators(model, translator, sources):
    image, *references = (to_array(decode_image(source)) for source in sources)
    styles = translator.styles_from_references(np.stack(references), "triangle")
    translations = model.translate_references(sources[0], "triangle", sources[1:])
    for translation, style in zip(translations, styles, strict=True):
        np.testing.assert_allclose(translation.style, style, atol=1e-5)
        expected = np.asarray(to_image(translator.translate(image[None], style[None])[0]))
        np.testing.assert_array_equal(np.asarray(decode_image(translation.image)), expected)
    np.testing.assert_allclose(model.encode_styles(sources[1:], "triangle"), styles, atol=1e-5)


def test_float_signatures_are_the_translators(model, translator):
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    styles = random.standard_normal((3, 8), np.float32)
    outputs = model.predict("translate_style_float", {"image": images, "style": styles})
    np.testing.assert_allclose(outputs["image"], translator.translate(images, styles), atol=1e-5)
    same = model.predict("translate_style_float", {"image": images[[1, 1, 0]], "style": styles})
    np.testing.assert_allclose(same["image"], translator.translate(images[[1, 1, 0]], styles), atol=1e-5)
    encoded = model.predict("encode_style_float", {"image": images, "domain": texts(["circle"] * 3)})
    np.testing.assert_allclose(encoded["style"], translator.styles_from_references(images, "circle"), atol=1e-5)


def test_plain_signatures_are_the_translators_and_clip(model, translator):
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    styles = random.standard_normal((3, 8), np.float32)
    drawn = model.predict("translate_style_plain", {"image": images, "style": styles})
    np.testing.assert_allclose(drawn["translated_image"], translator.translate(images, styles), atol=1e-5)
    encoded = model.predict("encode_style_plain", {"image": images, "domain": np.full(3, 2, np.int32)})
    np.testing.assert_allclose(encoded["style"], translator.styles_from_references(images, "triangle"), atol=1e-5)
    assert drawn.keys() | encoded.keys() == {"translated_image", "style"}

    far = model.predict("translate_style_plain", {"image": 300 * images, "style": 1e9 * styles})
    expected = translator.translate(np.clip(300 * images, -1, 1), np.clip(1e9 * styles, -1000, 1000))
    np.testing.assert_allclose(far["translated_image"], expected, atol=0.02)  # as that of the largest codes below
    far = model.predict("encode_style_plain", {"image": 300 * images, "domain": np.array([-1, 3, 99], np.int32)})
    for row, domain in enumerate(("circle", "triangle", "triangle")):
        expected = translator.styles_from_references(np.clip(300 * images[[row]], -1, 1), domain)
        np.testing.assert_allclose(far["style"][[row]], expected, atol=1e-5)
    assert model.card["clipped"] == {
        "image": [-1, 1],
        "latent": [-1000, 1000],
        "style": [-1000, 1000],
        "psi": [0, 1],
        "domain": [0, 2],
    }


def test_other_sizes_are_fitted_as_by_data_preparation(model, translator):
    picture = Image.effect_noise((90, 40), 60).convert("RGB")
    image = to_array(fit_image(picture, (16, 16)))
    np.testing.assert_allclose(
        model.encode_styles([to_png(picture)], "circle"),
        translator.styles_from_references(image[None], "circle"),
        atol=2e-2,  # each pixel may be rounded otherwise, by 1/255
    )


def test_the_default_draws_a_png_without_truncation(model, sources):
    outputs = model.predict("serving_default", inputs_of("serving_default", 1, sources))
    expected = model.translate_latent(sources[0], "circle", [0])[0]
    assert outputs["image_bytes"][0] == expected.image
    assert expected.image.startswith(b"\x89PNG")
    assert model.translate_latent(sources[0], "circle", [0], format="jpeg")[0].image.startswith(b"\xff\xd8\xff")


def test_a_format_has_any_case_and_jpeg_two_names(model, sources):
    names = ["jpeg", "jpg", "JPG", "Jpeg", "PNG", "Png"]
    inputs = {name: np.repeat(values, 6, axis=0) for name, values in inputs_of("translate_style", 1, sources).items()}
    outputs = model.predict("translate_style", inputs | {"format": texts(names)})
    assert not any(outputs["error"])
    assert [image[:3] for image in outputs["image_bytes"]] == [b"\xff\xd8\xff"] * 4 + [b"\x89PN"] * 2


def test_seeds(model, sources):
    first, second, again = model.translate_latent(sources[0], "circle", [7, -(2**63), 7])
    assert first.image == again.image
    assert not np.allclose(first.style, second.style)
    none = model.translate_latent(sources[0], "circle", [7, 8], psi=0)
    np.testing.assert_array_equal(none[0].style, none[1].style)


def test_the_card(model, exported_model):
    assert model.domains == DOMAINS
    assert model.card == json.loads((exported_model / "1" / "model_card.json").read_text())
    outputs = model.predict("domains", {"request": texts(["", ""])})
    assert outputs["domains"].tolist() == [[domain.encode() for domain in DOMAINS]] * 2


# ---------------------------------------------------------------------- bad requests


@pytest.mark.parametrize(
    ("signature", "name", "value", "sentence"),
    [
        ("translate_latent", "domain", b"zebra", "domain is 'zebra'; it must be one of circle, square, triangle"),
        ("map_latent", "domain", "naïve \"q'".encode(), "domain is 'naïve \"q''; it must be one of"),
        ("encode_style", "domain", b"a\nb\xff" + 100 * b"c", "domain is 'a�b�" + 56 * "c" + "...'; it must be"),
        ("encode_style_float", "domain", b"", "domain is ''; it must be one of"),
        ("translate_style", "image_bytes", b"", "image_bytes is empty"),
        ("encode_style", "image_bytes", b"text", "image_bytes is not a JPEG or PNG file"),
        (
            "translate_latent",
            "image_bytes",
            base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)),
            'image_bytes looks like base64; REST wants {"b64": ...}',
        ),
        ("translate_reference", "reference_bytes", b"/9j/4AAQSkZJRg", "reference_bytes looks like base64; REST wants"),
        ("translate_reference", "reference_bytes", b"text", "reference_bytes is not a JPEG or PNG file"),
        ("translate_latent", "psi", 1.5, "psi is 1.5; it must be between 0 and 1"),
        ("map_latent", "psi", -0.1, "psi is -0.1; it must be between 0 and 1"),
        ("translate_latent_code", "psi", np.nan, "psi is nan; it must be between 0 and 1"),
        ("translate_latent", "format", b"bmp", "format is 'bmp'; it must be png or jpeg"),
        ("map_latent", "latent", np.nan, "latent holds a number that is not finite"),
        ("translate_style_float", "style", np.inf, "style holds a number that is not finite"),
        ("translate_style", "style", 3e38, "style holds 3e+38; its numbers must be between -1000 and 1000"),
        ("map_latent", "latent", -1000.5, "latent holds -1000.5; its numbers must be between -1000 and 1000"),
        ("encode_style_float", "image", np.nan, "image holds a value that is not finite"),
        ("translate_style_float", "image", 255, "image has values from 255 to 255; they must be from -1 to 1"),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_answered(model, sources, signature, name, value, sentence):
    good = inputs_of(signature, 3, sources)
    expected = model.predict(signature, good)
    assert not any(expected["error"])
    bad = {key: array.copy() for key, array in good.items()}
    bad[name][1] = value
    outputs = model.predict(signature, bad)
    assert outputs["error"][1].decode().startswith(sentence)
    for key, values in outputs.items():
        assert not np.any(values[1]) or key == "error"
        np.testing.assert_array_equal(values[[0, 2]], expected[key][[0, 2]])

    # Alone, or with others refused for the same reason, the call fails.
    with pytest.raises(InvalidRequest) as error:
        model.predict(signature, {key: values[[1, 1]] for key, values in bad.items()})
    assert str(error.value).startswith(sentence)


def test_different_reasons_are_told_to_each(model, sources):
    inputs = inputs_of("translate_latent", 2, sources)
    inputs["psi"][0] = 2
    inputs["domain"][1] = b"zebra"
    errors = model.predict("translate_latent", inputs)["error"]
    assert [error.split()[0] for error in errors] == [b"psi", b"domain"]


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_wrong_length_is_told(model, sources, length):
    for name, signature in (("latent", "map_latent"), ("style", "translate_style"), ("style", "translate_style_float")):
        inputs = inputs_of(signature, 2, sources) | {name: np.zeros((2, length), np.float32)}
        right = 4 if name == "latent" else 8
        with pytest.raises(InvalidRequest, match=f"^{name} has {length} numbers; it must have {right}$"):
            model.predict(signature, inputs)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_rows(model, sources, signature):
    names = SIGNATURES[signature]
    inputs = inputs_of(signature, 2, sources)
    with pytest.raises(InvalidRequest, match=f"^{names[0]} has no rows; it must have at least one$"):
        model.predict(signature, {name: values[:0] for name, values in inputs.items()})
    with pytest.raises(InvalidRequest, match=r"^the request has 9 rows; at most 8 are taken$"):
        model.predict(signature, inputs_of(signature, 9, sources))
    if len(names) > 1:
        with pytest.raises(InvalidRequest, match=f"^{names[1]} has 1 rows but {names[0]} has 2$"):
            model.predict(signature, inputs | {names[1]: inputs[names[1]][:1]})


def test_what_is_no_signature_or_input_is_told(model, sources):
    with pytest.raises(InvalidRequest, match=r"^signature is 'nope'; it must be one of domains, encode_style, "):
        model.predict("nope", {})
    inputs = inputs_of("encode_style", 1, sources)
    with pytest.raises(InvalidRequest, match=r"^the inputs of encode_style are domain; they must be domain, image_b"):
        model.predict("encode_style", {"domain": inputs["domain"]})
    with pytest.raises(InvalidRequest, match=r"^the inputs of encode_style are domain, image_bytes, more; they must "):
        model.predict("encode_style", inputs | {"more": inputs["domain"]})


def test_the_largest_codes_give_finite_images(model, translator):
    images = np.zeros((2, 16, 16, 3), np.float32)
    styles = np.float32([[1000.0] * 8, [-1000.0, 1000.0] * 4])
    drawn = model.predict("translate_style_float", {"image": images, "style": styles})
    assert not any(drawn["error"])
    assert np.isfinite(drawn["image"]).all()
    # Codes a thousand times as large as usual make rounding so much larger, too.
    np.testing.assert_allclose(drawn["image"], translator.translate(images, styles), atol=0.02)


@pytest.mark.parametrize(
    "written", [f"[{'x' * 1200}]\n\t [[{{{{node a}}}}]]", f"[{'x' * 900}]\n\t [[{'y' * 200}]]", "[short]"]
)
def test_a_message_that_tf_serving_cut(written):
    # Lengths around those at which the cut meets the sentence's own end and what follows it.
    message = f"Graph execution error:\n\nassertion failed: {written}"
    for limit in (1024, len(message) - 1, *range(message.index("]"), message.index("]") + 8)):
        was_cut = limit < len(message)
        told = str(invalid_request(message[:limit] + "...TRUNCATED" if was_cut else message))
        sentence = written[1 : written.index("]")]
        assert told == (sentence if limit > message.index("]") else message[:limit].partition("[")[2] + "...")


def test_float_images_of_another_size(model):
    inputs = {"image": np.zeros((1, 16, 32, 3), np.float32), "domain": texts(["circle"])}
    with pytest.raises(InvalidRequest, match=r"^image has shape \[N, 16, 32, 3\]; it must be \[N, 16, 16, 3\]$"):
        model.predict("encode_style_float", inputs)


def test_an_image_that_announces_too_much(model):
    bomb = bytearray(to_png(Image.new("RGB", (1, 1))))
    bomb[16:24] = (70000).to_bytes(4, "big") * 2
    with pytest.raises(InvalidRequest, match="announces 70000 x 70000 pixels; at most 1000000 pixels are taken"):
        model.translate_latent(bytes(bomb), "circle", [0])


# ---------------------------------------------------------------------- what TF Serving asks of a model


def call(session, signature: str, inputs) -> dict[str, np.ndarray]:
    """Calls a signature as TF Serving does: by feeding and fetching the tensors that it names."""
    wanted = tuple(session.signatures[signature].outputs)
    return dict(zip(wanted, session.run(signature, inputs, wanted), strict=True))


def test_signatures_have_names_types_and_a_batch_axis(session):
    assert set(session.definitions) - {"__saved_model_init_op"} == set(ALL)
    for signature, names in ALL.items():
        definition = session.definitions[signature]
        assert definition.method_name == "tensorflow/serving/predict"
        assert set(definition.inputs) == set(names)
        for name, info in [*definition.inputs.items(), *definition.outputs.items()]:
            assert not info.tensor_shape.unknown_rank
            assert info.tensor_shape.dim[0].size == -1, (signature, name)
            taken = (tf.float32, tf.int32) if signature in PLAIN else (tf.string, tf.float32, tf.int64)
            assert info.dtype in [dtype.as_datatype_enum for dtype in taken]
            others = {
                "image": [16, 16, 3],
                "translated_image": [16, 16, 3],
                "latent": [4],
                "style": [8],
                "domains": [3],
            }
            assert [dimension.size for dimension in info.tensor_shape.dim[1:]] == others.get(name, [])
            # TF Serving's REST interface writes texts as base64 only if the name says that they are bytes.
            if name.endswith("_bytes"):
                assert info.dtype == tf.string.as_datatype_enum
        if signature in TRANSLATIONS:
            assert set(definition.outputs) == {"image_bytes", "style", "error"}


@pytest.mark.parametrize("signature", ALL)
def test_merged_requests_are_answered_as_alone(session, sources, signature):
    """TF Serving concatenates requests along axis 0, fills up with copies of the first row, and splits the results."""
    parts = [inputs_of(signature, rows, sources, seed) for seed, rows in enumerate((1, 3, 2))]
    merged = {name: np.concatenate([part[name] for part in parts] + [parts[0][name][:1]] * 2) for name in parts[0]}
    outputs = call(session, signature, merged)
    start = 0
    for part in parts:
        rows = len(next(iter(part.values())))
        for name, values in call(session, signature, part).items():
            assert len(values) == rows
            split = outputs[name][start : start + rows]
            if name == "image_bytes":
                # Sums of other lengths round otherwise, now and then across the border between two shades.
                images = [[np.asarray(decode_image(image), int) for image in part] for part in (split, values)]
                np.testing.assert_allclose(*images, atol=3)
            elif values.dtype == object:
                assert split.tolist() == values.tolist()
            else:
                np.testing.assert_allclose(split, values, atol=1e-5)
        start += rows


def test_a_session_refuses_with_the_same_sentences(session, sources):
    inputs = inputs_of("translate_latent", 1, sources) | {"psi": np.float32([3.0])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="psi is 3; it must be between 0 and 1"):
        call(session, "translate_latent", inputs)


@pytest.mark.parametrize(
    ("signature", "name", "shape", "sentence"),
    [
        ("translate_style_float", "image", (1, 16, 32, 3), "image has shape .N, 16, 32, 3.; it must be .N, 16, 16, 3."),
        ("encode_style_float", "image", (1, 8, 32, 3), "image has shape .N, 8, 32, 3.; it must be .N, 16, 16, 3."),
        ("translate_style", "style", (1, 9), "style has 9 numbers; it must have 8"),
        ("map_latent", "latent", (1, 2), "latent has 2 numbers; it must have 4"),
    ],
)
def test_a_session_refuses_other_shapes_than_it_declares(session, sources, signature, name, shape, sentence):
    """A server feeds them all the same, also those that have as many numbers as a right one."""
    inputs = inputs_of(signature, 1, sources) | {name: np.zeros(shape, np.float32)}
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        call(session, signature, inputs)


def test_a_column_of_domains_is_refused(session, sources):
    """What a REST client sends that puts a text into brackets; a server checks no shapes of its own."""
    inputs = inputs_of("encode_style", 1, sources) | {"domain": texts(["circle"])[:, None]}
    with pytest.raises(tf.errors.InvalidArgumentError):
        call(session, "encode_style", inputs)


def test_every_warm_up_request_is_answered(session, exported_model):
    requests = warmup.read(exported_model / "1")
    assert len(requests) == 2 * len(ALL)
    seen = set()
    for request in requests:
        assert request.model_spec.name == "stargan"
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        signature, rows = request.model_spec.signature_name, len(next(iter(inputs.values())))
        outputs = call(session, signature, inputs)
        assert not any(outputs.get("error", []))
        seen.add((signature, rows))
    assert seen == {(signature, rows) for signature in ALL for rows in (1, 2)}
