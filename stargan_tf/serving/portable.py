"""Functions for runtimes without TensorFlow, with float images in and out, and the check of the written files.

No text, so that every converter takes them; what is out of range is clipped, since they can refuse nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.inference.translator import Translator
from stargan_tf.serving.row_checks import LARGEST_NUMBER

# In images of [-1, 1] and in style codes. Other kernels add in another order, which gives a few times 1e-6 in the
# published networks; a weight or an operation gone wrong gives far more.
TOLERANCE = 1e-3

Run = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def functions(translator: Translator) -> dict[str, tf.types.experimental.GenericFunction]:
    """Makes the functions that are written as files, each with one output.

    Args:
        translator: of the networks.

    Returns:
        By name: `translate_style(image [N, H, W, 3], style [N, style_dim])` gives images in [-1, 1];
        `encode_style(image, domain [N] int32)` and `map_latent(latent [N, latent_dim], domain, psi [N])` give style
        codes [N, style_dim]. Images are clipped to [-1, 1], codes to [-1000, 1000], domains to those that there are,
        psi to [0, 1]; a number that is not one (NaN) is not caught.
    """
    image = tf.TensorSpec((None, *translator.image_size, 3), tf.float32, "image")
    style = tf.TensorSpec((None, translator.style_dim), tf.float32, "style")
    latent = tf.TensorSpec((None, translator.latent_dim), tf.float32, "latent")
    domain = tf.TensorSpec((None,), tf.int32, "domain")
    psi = tf.TensorSpec((None,), tf.float32, "psi")
    means = translator.mean_styles

    def known(domain):
        return tf.clip_by_value(domain, 0, len(translator.domains) - 1)

    # An output must not have the name of an input: the converter to ONNX takes them for one tensor.
    @tf.function(input_signature=[image, style], autograph=False)
    def translate_style(image, style):
        style = tf.clip_by_value(style, -LARGEST_NUMBER, LARGEST_NUMBER)
        drawn = translator.decode(style, *translator.encode(tf.clip_by_value(image, -1.0, 1.0)))
        return {"translated_image": tf.clip_by_value(drawn, -1.0, 1.0)}

    @tf.function(input_signature=[image, domain], autograph=False)
    def encode_style(image, domain):
        return {"style": translator.encode_style(tf.clip_by_value(image, -1.0, 1.0), known(domain))}

    @tf.function(input_signature=[latent, domain, psi], autograph=False)
    def map_latent(latent, domain, psi):
        latent = tf.clip_by_value(latent, -LARGEST_NUMBER, LARGEST_NUMBER)
        domain, psi = known(domain), tf.clip_by_value(psi, 0.0, 1.0)
        # Not a lookup in a constant, which the converter to ONNX would make an input of the model.
        mean = tf.matmul(tf.one_hot(domain, len(means)), means)
        return {"style": mean + psi[:, None] * (translator.map(latent, domain) - mean)}

    return {"translate_style": translate_style, "encode_style": encode_style, "map_latent": map_latent}


def check(name: str, function, run: Run, num_domains: int, rows: int) -> float:
    """Compares a written model with the function that it was made of, on seeded random inputs.

    Args:
        name: of the function.
        function: one of `functions`, which the file was made of.
        run: runs the written model in its own runtime, from inputs by name to its output.
        num_domains: domains are drawn from so many.
        rows: of the inputs.

    Returns:
        The largest difference between the outputs.

    Raises:
        UserError: it is too large.
    """
    random = np.random.default_rng(rows)
    inputs: dict[str, np.ndarray] = {}
    for spec in function.input_signature:
        shape = (rows, *spec.shape[1:])
        if spec.dtype == tf.int32:
            inputs[spec.name] = random.integers(0, num_domains, shape).astype(np.int32)
        elif spec.name in ("image", "psi"):
            inputs[spec.name] = random.uniform(0, 1, shape).astype(np.float32)
        else:
            inputs[spec.name] = random.standard_normal(shape, np.float32)
    (expected,) = function(**{key: tf.constant(value) for key, value in inputs.items()}).values()
    difference = float(np.abs(run(inputs) - expected.numpy()).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"the written {name} differs from the run's networks by {difference:g}, where {TOLERANCE:g} is allowed; "
            "nothing was written"
        )
    return difference
