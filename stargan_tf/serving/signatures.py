"""The graph that TF Serving runs: from requests to encoded images, with every refusal told in a sentence.

Every input and output has one row for each request on axis 0, since the server merges requests along it, and no row
depends on another. A row that is refused has a sentence in the output `error`, and the others are answered all the
same; only if all rows are refused for the same reason does the call fail, with INVALID_ARGUMENT and that reason.

The plain signatures are for converters and for layers of other models: numbers in and out and no text, so that they
can refuse nothing, and clip what is out of range.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from stargan_tf.inference.translator import Translator, latents_of_seeds
from stargan_tf.serving import portable
from stargan_tf.serving.decoding.images import decode_images
from stargan_tf.serving.row_checks import (
    blank_refused,
    check_psi,
    check_vectors,
    first_error,
    quoted,
    refused_unless_some_are_good,
    sentence_unless,
)

FORMATS = ("png", "jpeg")
# Of the portable functions, those that are signatures too.
PLAIN = ("translate_style", "encode_style")
JPEG_QUALITY = 95

# Float images may leave [-1, 1] by rounding.
_RANGE_TOLERANCE = 1e-3

Outputs = dict[str, tf.Tensor]


class Signatures(tf.Module):
    """The signatures of an exported model; `docs/serving.md` describes them.

    Args:
        translator: whose networks are exported.
        card: the model card, which the signature `domains` gives out as JSON.
        max_pixels: images that announce more are refused before they are decoded.
        max_rows: requests with more rows are refused, since memory grows with them.
    """

    def __init__(self, translator: Translator, card: Mapping[str, Any], max_pixels: int, max_rows: int):
        super().__init__(name="stargan")
        self._translator = translator
        self._card = json.dumps(card)
        self._max_rows = max_rows
        self._specs = _specs(translator)

        # Traced once and shared by the signatures: the decoding graph is large, and would be saved with each of them.
        @tf.function(autograph=False, input_signature=(tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.string)))
        def decode_distinct(contents, name):
            return decode_images(contents, translator.image_size, max_pixels, name, translator.image_config)

        self._decode_distinct = decode_distinct.get_concrete_function()
        # Only variables that are reachable from here are saved; the translator's functions merely capture them.
        self.weights = [variable.value for variable in translator.variables]
        self.mean_styles = tf.constant(translator.mean_styles)

    def functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Makes the signatures, ready to be saved.

        Each becomes an attribute of this module as well, as a function of one dictionary: what a loaded SavedModel is
        called by where only one argument is possible, as in `keras.layers.TFSMLayer`.

        Returns:
            The signatures by name.
        """
        methods: dict[str, tuple[Callable[..., Outputs], tuple[str, ...]]] = {
            "serving_default": (self._default, ("image_bytes", "domain", "seed")),
            "translate_latent": (self._translate_latent, ("image_bytes", "domain", "seed", "psi", "format")),
            "translate_latent_code": (
                self._translate_latent_code,
                ("image_bytes", "domain", "latent", "psi", "format"),
            ),
            "translate_reference": (
                self._translate_reference,
                ("image_bytes", "reference_bytes", "domain", "format"),
            ),
            "translate_style": (self._translate_style, ("image_bytes", "style", "format")),
            "encode_style": (self._encode_style, ("image_bytes", "domain")),
            "map_latent": (self._map_latent, ("latent", "domain", "psi")),
            "translate_style_float": (self._translate_style_float, ("image", "style")),
            "encode_style_float": (self._encode_style_float, ("image", "domain")),
            "domains": (self._domains, ("request",)),
        }
        functions = {
            name: _compile(method, {key: self._specs[key] for key in names}, self._max_rows)
            for name, (method, names) in methods.items()
        }
        for name, function in portable.functions(self._translator).items():
            if name in PLAIN:
                functions[f"{name}_plain"] = _compile_plain(function)
        for name, function in functions.items():
            setattr(self, name, _by_dictionary(function))
        return functions

    def _default(self, image_bytes, domain, seed) -> Outputs:
        rows = tf.shape(image_bytes)
        return self._translate_latent(image_bytes, domain, seed, tf.ones(rows), tf.fill(rows, FORMATS[0]))

    def _translate_latent(self, image_bytes, domain, seed, psi, format) -> Outputs:
        latent = latents_of_seeds(seed, self._translator.latent_dim)
        return self._translate_latent_code(image_bytes, domain, latent, psi, format)

    def _translate_latent_code(self, image_bytes, domain, latent, psi, format) -> Outputs:
        latent, latent_error = check_vectors(latent, self._translator.latent_dim, "latent")
        index, domain_error = self._find_domain(domain)
        psi, psi_error = check_psi(psi)
        errors = [domain_error, latent_error, psi_error]
        return self._translate(image_bytes, format, errors, lambda: self._map(latent, index, psi))

    def _translate_reference(self, image_bytes, reference_bytes, domain, format) -> Outputs:
        index, domain_error = self._find_domain(domain)
        references, row, reference_error = self._decode(reference_bytes, "reference_bytes")
        errors = [domain_error, reference_error]

        def style():
            return self._translator.encode_style(tf.gather(references, row), index)

        return self._translate(image_bytes, format, errors, style)

    def _translate_style(self, image_bytes, style, format) -> Outputs:
        style, style_error = check_vectors(style, self._translator.style_dim, "style")
        return self._translate(image_bytes, format, [style_error], lambda: style)

    def _encode_style(self, image_bytes, domain) -> Outputs:
        index, domain_error = self._find_domain(domain)
        images, row, image_error = self._decode(image_bytes, "image_bytes")
        error = first_error(domain_error, image_error)
        with refused_unless_some_are_good(error):
            style = self._translator.encode_style(tf.gather(images, row), index)
        return {"style": blank_refused(style, error), "error": error}

    def _map_latent(self, latent, domain, psi) -> Outputs:
        latent, latent_error = check_vectors(latent, self._translator.latent_dim, "latent")
        index, domain_error = self._find_domain(domain)
        psi, psi_error = check_psi(psi)
        error = first_error(domain_error, latent_error, psi_error)
        with refused_unless_some_are_good(error):
            style = self._map(latent, index, psi)
        return {"style": blank_refused(style, error), "error": error}

    def _translate_style_float(self, image, style) -> Outputs:
        style, style_error = check_vectors(style, self._translator.style_dim, "style")
        image, image_error = self._check_images(image)
        error = first_error(image_error, style_error)
        with refused_unless_some_are_good(error):
            # A source in several styles arrives as equal rows, of which only one is encoded.
            flat = tf.reshape(image, (tf.shape(image)[0], -1))
            distinct, row = tf.raw_ops.UniqueV2(x=flat, axis=[0])
            distinct = tf.reshape(distinct, (-1, *self._translator.image_size, 3))
            image = self._draw(distinct, row, style)
        return {"image": blank_refused(image, error), "error": error}

    def _encode_style_float(self, image, domain) -> Outputs:
        index, domain_error = self._find_domain(domain)
        image, image_error = self._check_images(image)
        error = first_error(domain_error, image_error)
        with refused_unless_some_are_good(error):
            style = self._translator.encode_style(image, index)
        return {"style": blank_refused(style, error), "error": error}

    def _domains(self, request) -> Outputs:
        rows = tf.shape(request)[0]
        names = tf.constant([self._translator.domains])
        return {"domains": tf.tile(names, (rows, 1)), "model_card": tf.fill((rows,), self._card)}

    def _translate(self, image_bytes, format, errors: list[tf.Tensor], style: Callable[[], tf.Tensor]) -> Outputs:
        """Translates encoded images; `style` is called inside the check that some rows are good."""
        images, row, image_error = self._decode(image_bytes, "image_bytes")
        sentence = tf.strings.join(["format is ", quoted(format), "; it must be png or jpeg"])
        format = tf.strings.regex_replace(tf.strings.lower(format), "^jpg$", "jpeg")
        known = tf.reduce_any(format[:, None] == tf.constant([FORMATS]), 1)
        error = first_error(image_error, *errors, sentence_unless(known, sentence))
        with refused_unless_some_are_good(error):
            style = style()
            image = self._draw(images, row, style)
        # Rounded as by `to_image`, so that an exported model gives exactly the sampler's pixels.
        pixels = tf.cast(tf.round((image + 1) * 127.5), tf.uint8)
        return {"image_bytes": _encode(pixels, format, error), "style": blank_refused(style, error), "error": error}

    def _draw(self, images, row, style) -> tf.Tensor:
        """Draws image number `row[n]` in style `n`; every image is encoded once."""
        encoded = tf.nest.map_structure(lambda part: tf.gather(part, row), self._translator.encode(images))
        return tf.clip_by_value(self._translator.decode(style, *encoded), -1.0, 1.0)

    def _map(self, latent, index, psi) -> tf.Tensor:
        style = self._translator.map(latent, index)
        mean = tf.gather(self.mean_styles, index)
        # For psi 1, mean + (style - mean) would not reproduce the style to the last bit.
        return tf.where(psi[:, None] == 1, style, mean + psi[:, None] * (style - mean))

    def _decode(self, contents, name: str) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Decodes every distinct image once; returns these, their number for each row, and errors for each row."""
        distinct, row = tf.unique(contents)
        images, errors = self._decode_distinct(distinct, tf.constant(name))
        return images, row, tf.gather(errors, row)

    def _find_domain(self, domain) -> tuple[tf.Tensor, tf.Tensor]:
        names = self._translator.domains
        matches = domain[:, None] == tf.constant([names])
        sentence = tf.strings.join(["domain is ", quoted(domain), f"; it must be one of {', '.join(names)}"])
        return tf.argmax(matches, 1, tf.int32), sentence_unless(tf.reduce_any(matches, 1), sentence)

    def _check_images(self, image) -> tuple[tf.Tensor, tf.Tensor]:
        height, width = self._translator.image_size
        shape = tf.shape(image)
        given = tf.strings.reduce_join(tf.strings.as_string(shape[1:]), separator=", ")
        sentence = tf.strings.join(["image has shape [N, ", given, f"]; it must be [N, {height}, {width}, 3]"])
        right = tf.Assert(tf.reduce_all(shape[1:] == (height, width, 3)), [sentence])
        with tf.control_dependencies([right]):
            image = tf.reshape(image, (-1, height, width, 3))
        low, high = tf.reduce_min(image, (1, 2, 3)), tf.reduce_max(image, (1, 2, 3))
        finite = tf.reduce_all(tf.math.is_finite(image), (1, 2, 3))
        within = (low >= -1 - _RANGE_TOLERANCE) & (high <= 1 + _RANGE_TOLERANCE)
        parts = [tf.strings.as_string(value, shortest=True) for value in (low, high)]
        outside = tf.strings.join(["image has values from ", parts[0], " to ", parts[1], "; they must be from -1 to 1"])
        error = first_error(
            sentence_unless(finite, "image holds a value that is not finite"), sentence_unless(within, outside)
        )
        return blank_refused(image, error), error


def _specs(translator: Translator) -> dict[str, tf.TensorSpec]:
    """The inputs of the signatures by name."""
    shapes: dict[str, tuple[tuple[int | None, ...], tf.DType]] = {
        "image_bytes": ((None,), tf.string),
        "reference_bytes": ((None,), tf.string),
        "domain": ((None,), tf.string),
        "format": ((None,), tf.string),
        "request": ((None,), tf.string),
        "seed": ((None,), tf.int64),
        "psi": ((None,), tf.float32),
        "latent": ((None, translator.latent_dim), tf.float32),
        "style": ((None, translator.style_dim), tf.float32),
        "image": ((None, *translator.image_size, 3), tf.float32),
    }
    return {name: tf.TensorSpec(shape, dtype, name) for name, (shape, dtype) in shapes.items()}


def _compile(
    method: Callable[..., Outputs], specs: Mapping[str, tf.TensorSpec], max_rows: int
) -> tf.types.experimental.ConcreteFunction:
    """Compiles a signature behind checks that its inputs have rows, equally many and not too many."""
    names = list(specs)

    def checked(**inputs):
        # A server feeds what it was sent whatever the declared shapes are, so the graph checks them.
        inputs = {name: _of_any_shape(value) for name, value in inputs.items()}
        rows = [tf.shape(inputs[name])[0] for name in names]
        too_many = ["the request has ", tf.strings.as_string(rows[0]), f" rows; at most {max_rows} are taken"]
        checks = [
            tf.Assert(rows[0] > 0, [f"{names[0]} has no rows; it must have at least one"]),
            tf.Assert(rows[0] <= max_rows, [tf.strings.join(too_many)]),
        ]
        for name, count in zip(names[1:], rows[1:], strict=True):
            numbers = [tf.strings.as_string(number) for number in (count, rows[0])]
            sentence = tf.strings.join([f"{name} has ", numbers[0], f" rows but {names[0]} has ", numbers[1]])
            checks.append(tf.Assert(count == rows[0], [sentence]))
        with tf.control_dependencies(checks):
            inputs = {name: tf.identity(value) for name, value in inputs.items()}
            return method(**inputs)

    return tf.function(checked, autograph=False).get_concrete_function(**specs)


def _of_any_shape(value: tf.Tensor) -> tf.Tensor:
    """Hides the declared shape of an input from the graph, but for its rank.

    TensorFlow leaves out checks that a shape which it knows makes needless; of a placeholder it knows what it is told.
    """
    shape = [None] * value.shape.rank
    if value.shape.rank > 1:
        value = tf.compat.v1.placeholder_with_default(value, shape)
    return tf.ensure_shape(value, shape)


def _compile_plain(function: Any) -> tf.types.experimental.ConcreteFunction:
    """Compiles one of `portable.functions` as a signature."""

    def plain(**inputs):
        return function.python_function(**inputs)

    specs = {spec.name: spec for spec in function.input_signature}
    return tf.function(plain, autograph=False).get_concrete_function(**specs)


def _by_dictionary(signature: Any) -> tf.types.experimental.GenericFunction:
    """Makes a function of one dictionary of a signature."""

    def by_dictionary(inputs):
        return signature(**inputs)

    specs = dict(signature.structured_input_signature[1])
    return tf.function(by_dictionary, input_signature=[specs], autograph=False)


def _encode(pixels: tf.Tensor, format: tf.Tensor, error: tf.Tensor) -> tf.Tensor:
    """Encodes images uint8 [N, H, W, 3], each in its format; refused rows become ""."""

    def encode(row):
        image, format, error = row
        branches = [
            lambda: tf.constant(""),
            lambda: tf.io.encode_png(image),
            lambda: tf.io.encode_jpeg(image, quality=JPEG_QUALITY),
        ]
        return tf.switch_case(tf.where(error != "", 0, tf.where(format == "png", 1, 2)), branches)

    return tf.map_fn(encode, (pixels, format, error), fn_output_signature=tf.TensorSpec([], tf.string))
