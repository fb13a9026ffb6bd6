"""What every signature answers, and how it refuses, compared with the same model in this process."""

from collections.abc import Callable, Mapping

import numpy as np

from stargan_tf.serving.client import Client
from stargan_tf.serving.served_model import InvalidRequest, LocalModel, ServedModel, texts
from tests.serve_check.table import Table
from tests.serving.good_requests import ALL, PLAIN

# What the same arithmetic may differ by in batches of other sizes: style codes and images of [-1, 1], and pixels.
_TOLERANCE = 1e-3
_PIXEL_TOLERANCE = 2

Inputs = dict[str, np.ndarray]


def check_answers(
    table: Table,
    protocol: str,
    connect: Callable[..., Client],
    local: LocalModel,
    asked: Mapping[str, Inputs],
    labels: Mapping[str, int],
) -> None:
    """Asks every signature, sends bad requests, and asks by label.

    Args:
        table: gets the rows.
        protocol: its name in them.
        connect: makes a client of a label.
        local: the model of the label stable.
        asked: good rows by signature.
        labels: the versions by label.
    """
    with table.no_failure(f"{protocol}: status", "AVAILABLE"), connect() as client:
        known = client.status()
        states = {version: known.get(version) for version in labels.values()}
        table.row(f"{protocol}: status", set(states.values()) == {"AVAILABLE"}, states, "AVAILABLE")
    # Without a label the highest version would answer.
    with connect(label="stable") as client:
        for signature, inputs in asked.items():
            expected = "the answer of this process"
            with table.no_failure(f"{protocol}: {signature}", expected):
                apart = difference(client.predict(signature, inputs), local.predict(signature, inputs))
                table.row(f"{protocol}: {signature}", apart == "", apart or "as in this process", expected)
        for what, signature, changes in bad_requests():
            wanted = refusal(local, signature, asked[signature] | changes)
            with table.no_failure(f"{protocol}: {what}", f"{wanted!r}"):
                given = refusal(client, signature, asked[signature] | changes)
                table.row(f"{protocol}: {what}", given == wanted is not None, given or "was not refused", f"{wanted!r}")
        expected = "a sentence in its row, the others untouched"
        with table.no_failure(f"{protocol}: one bad row", expected):
            inputs = asked["translate_latent"] | {"domain": asked["translate_latent"]["domain"].copy()}
            inputs["domain"][1] = b"zebra"
            outputs = client.predict("translate_latent", inputs)
            apart = difference(outputs, local.predict("translate_latent", inputs))
            ok = apart == "" and [bool(error) for error in outputs["error"]] == [False, True, False]
            table.row(f"{protocol}: one bad row", ok, apart or "the others are untouched", expected)
    for label, version in labels.items():
        expected = f"version {version} and no other"
        with table.no_failure(f"{protocol}: label {label}", expected), connect(label=label) as client:
            answered = client.status()
            table.row(f"{protocol}: label {label}", answered == {version: "AVAILABLE"}, answered, expected)
    with table.no_failure(f"{protocol}: unknown label", "a refusal"), connect(label="nowhere") as client:
        sentence = refusal(client, "domains", {"request": texts([""])})
        table.row(f"{protocol}: unknown label", sentence is not None, sentence or "was not refused", "a refusal")


def answer_of_stable(connect: Callable[..., Client], local: LocalModel, inputs: Inputs) -> str:
    """Asks the version with the label stable for translations; returns how they are wrong, or ""."""
    with connect(label="stable") as client:
        return difference(client.predict("translate_latent", inputs), local.predict("translate_latent", inputs))


def cases(local: LocalModel) -> dict[str, Inputs]:
    """Makes three good rows for every signature."""
    from PIL import Image

    from stargan_tf.data.images import to_png

    random = np.random.default_rng(0)
    height, width = local.card["image_size"]
    pixels = random.integers(0, 256, (3, height, width, 3), np.uint8)
    encoded = texts([to_png(Image.fromarray(image)) for image in pixels])
    domains = local.domains
    values = {
        "image_bytes": encoded,
        "reference_bytes": encoded[::-1],
        "domain": texts([domains[row % len(domains)] for row in range(3)]),
        "seed": np.array([0, 1, -1], np.int64),
        "psi": np.float32([0, 0.5, 1]),
        "format": texts(["png"] * 3),
        "latent": random.standard_normal((3, local.card["latent_dim"]), np.float32),
        "style": random.standard_normal((3, local.card["style_dim"]), np.float32),
        "image": pixels.astype(np.float32) / 127.5 - 1,
        "request": texts([""] * 3),
    }
    requests = {name: {key: values[key] for key in keys} for name, keys in ALL.items()}
    for name in PLAIN:  # a domain is a number there
        requests[name] |= {"domain": np.zeros(3, np.int32)} if "domain" in requests[name] else {}
    return requests


def bad_requests() -> list[tuple[str, str, Inputs]]:
    """Returns what is wrong, in which signature, and the rows that make it so: all three, for the same reason."""
    return [
        ("unknown domain", "translate_latent", {"domain": texts(["zebra"] * 3)}),
        ("no image", "encode_style", {"image_bytes": texts([b"no image at all"] * 3)}),
        ("another format", "encode_style", {"image_bytes": texts([b"GIF89a"] * 3)}),
        ("empty image", "encode_style", {"image_bytes": texts([b""] * 3)}),
        ("psi out of range", "translate_latent", {"psi": np.float32([1.5] * 3)}),
        ("unknown format", "translate_style", {"format": texts(["bmp"] * 3)}),
    ]


def refusal(model: ServedModel, signature: str, inputs: Inputs) -> str | None:
    """Returns the sentence that a request is refused with."""
    try:
        model.predict(signature, inputs)
    except InvalidRequest as error:
        return str(error)
    return None


def difference(given: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> str:
    """Says in what outputs differ; "" if they don't."""
    from stargan_tf.data.images import decode_image

    if given.keys() != wanted.keys():
        return f"the outputs are {sorted(given)}, not {sorted(wanted)}"
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            return f"{name} has shape {given[name].shape}, not {value.shape}"
        if value.dtype != object:
            apart = np.abs(given[name] - value).max()
            if not apart <= _TOLERANCE:
                return f"{name} differs by {apart:.2g}"
        elif name == "image_bytes":
            for row, (one, other) in enumerate(zip(given[name], value, strict=True)):
                if bool(one) != bool(other):
                    return f"{name} of row {row} has {len(one)} bytes, not {len(other)}"
                if one:
                    images = [np.asarray(decode_image(encoded), np.int16) for encoded in (one, other)]
                    apart = np.abs(images[0] - images[1]).max()
                    if apart > _PIXEL_TOLERANCE:
                        return f"{name} of row {row} differs by {apart} of 255"
        elif given[name].tolist() != value.tolist():
            return f"{name} is {given[name].tolist()}, not {value.tolist()}"
    return ""
