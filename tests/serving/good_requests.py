"""The signatures of an exported model and good inputs for them, by the model of `tests/fixtures.py`."""

import numpy as np

from stargan_tf.serving.served_model import texts

DOMAINS = ("circle", "square", "triangle")
TRANSLATIONS = (
    "serving_default",
    "translate_latent",
    "translate_latent_code",
    "translate_reference",
    "translate_style",
)
SIGNATURES = {
    "serving_default": ("image_bytes", "domain", "seed"),
    "translate_latent": ("image_bytes", "domain", "seed", "psi", "format"),
    "translate_latent_code": ("image_bytes", "domain", "latent", "psi", "format"),
    "translate_reference": ("image_bytes", "reference_bytes", "domain", "format"),
    "translate_style": ("image_bytes", "style", "format"),
    "encode_style": ("image_bytes", "domain"),
    "map_latent": ("latent", "domain", "psi"),
    "translate_style_float": ("image", "style"),
    "encode_style_float": ("image", "domain"),
    "domains": ("request",),
}


# Those without text, which can refuse nothing.
PLAIN = {"translate_style_plain": ("image", "style"), "encode_style_plain": ("image", "domain")}
ALL = SIGNATURES | PLAIN


def inputs_of(signature: str, rows: int, sources: list[bytes], seed: int = 0) -> dict[str, np.ndarray]:
    """Returns good inputs for a signature, all different."""
    random = np.random.default_rng(seed)
    images = [sources[row % len(sources)] for row in range(rows)]
    values = {
        "image_bytes": texts(images),
        "reference_bytes": texts(images[::-1]),
        "domain": texts([DOMAINS[row % 3] for row in range(rows)]),
        "seed": np.arange(rows) + seed,
        "psi": random.uniform(0, 1, rows).astype(np.float32),
        "format": texts([("png", "jpeg")[row % 2] for row in range(rows)]),
        "latent": random.standard_normal((rows, 4), np.float32),
        "style": random.standard_normal((rows, 8), np.float32),
        "image": random.uniform(-1, 1, (rows, 16, 16, 3)).astype(np.float32),
        "request": texts([""] * rows),
    }
    if signature in PLAIN:
        values["domain"] = np.arange(rows, dtype=np.int32) % 3
    return {name: values[name] for name in ALL[signature]}
