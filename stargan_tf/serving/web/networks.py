"""The networks of the page as ONNX files, with weights in float32, or in float16 for half the bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.inference.translator import Translator
from stargan_tf.serving import onnx_format, portable

# What a picture may differ by from that of the run's networks, in levels of 255.
TOLERANCES = {"float32": 1, "float16": 6}

# Weights of fewer numbers stay as they are: nothing is saved.
_LEAST_HALVED = 64


def functions(translator: Translator) -> dict[str, tf.types.experimental.GenericFunction]:
    """Makes the functions of the page, with the source's encoding apart: it serves all styles.

    Args:
        translator: of the networks.

    Returns:
        By name: `encode_image(image [N, H, W, 3])` gives what `decode_image(style [N, style_dim], ...)` takes, which
        gives images; `map_latent` and `encode_style` as in `portable.functions`.
    """
    image = tf.TensorSpec((None, *translator.image_size, 3), tf.float32, "image")
    style = tf.TensorSpec((None, translator.style_dim), tf.float32, "style")
    structure = translator.encode.get_concrete_function().structured_outputs
    flat = tf.nest.flatten(structure)
    encoded = [tf.TensorSpec(value.shape, value.dtype, f"encoded_{index}") for index, value in enumerate(flat)]

    # An output must not have the name of an input: the converter takes them for one tensor.
    @tf.function(input_signature=[image], autograph=False)
    def encode_image(image):
        return {
            f"encoded_{index}": tf.identity(value)
            for index, value in enumerate(tf.nest.flatten(translator.encode(image)))
        }

    @tf.function(input_signature=[style, *encoded], autograph=False)
    def decode_image(style, *encoded):
        drawn = translator.decode(style, *tf.nest.pack_sequence_as(structure, encoded))
        return {"translated_image": tf.clip_by_value(drawn, -1.0, 1.0)}

    others = portable.functions(translator)
    return {
        "encode_image": encode_image,
        "decode_image": decode_image,
        "map_latent": others["map_latent"],
        "encode_style": others["encode_style"],
    }


def write(translator: Translator, directory: Path, precision: str) -> float:
    """Writes NAME.onnx for each of the functions, and compares pictures with those of the translator.

    Args:
        translator: of the networks.
        directory: where to, which must exist.
        precision: of the stored weights, `float32` or `float16`; all computing is in float32.

    Returns:
        The largest difference between pictures drawn by the files and by the networks, in levels of 255.

    Raises:
        UserError: it is too large.
    """
    import onnx
    import tf2onnx

    for name, function in functions(translator).items():
        model, _ = tf2onnx.convert.from_function(
            function, input_signature=function.input_signature, opset=onnx_format.OPSET
        )
        if precision == "float16":
            halve(model)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, directory / f"{name}.onnx")
    return _check(translator, directory, precision)


def halve(model: Any) -> None:
    """Stores the weights of an ONNX model in float16; what reads them reads float32, as before."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _LEAST_HALVED:
            continue
        limit = float(np.finfo(np.float16).max)
        halved = numpy_helper.to_array(tensor).clip(-limit, limit).astype(np.float16)
        casts.append(helper.make_node("Cast", [f"{tensor.name}/half"], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(halved, f"{tensor.name}/half"))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _check(translator: Translator, directory: Path, precision: str) -> float:
    import onnxruntime

    sessions = {
        path.stem: onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for path in directory.glob("*.onnx")
    }

    def run(name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        session = sessions[name]
        return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))

    image = np.random.default_rng(0).uniform(-1, 1, (1, *translator.image_size, 3)).astype(np.float32)
    latent = translator.draw_latents(1, seed=0)
    encoded = run("encode_image", {"image": image})
    largest = 0.0
    for index, domain in enumerate(translator.domains):
        number = np.array([index], np.int32)
        psi = np.ones(1, np.float32)
        pairs = (
            (
                run("map_latent", {"latent": latent, "domain": number, "psi": psi})["style"],
                translator.styles_from_latents(latent, domain),
            ),
            (
                run("encode_style", {"image": image, "domain": number})["style"],
                translator.styles_from_references(image, domain),
            ),
        )
        for style, expected in pairs:
            drawn = run("decode_image", {"style": style, **encoded})["translated_image"]
            steps = float(np.abs(drawn - translator.translate(image, expected)).max()) * 127.5
            if not steps <= TOLERANCES[precision]:
                raise UserError(
                    f"the page's networks in {precision} draw domain {domain!r} otherwise than the run's, by up to "
                    f"{steps:.3g} of 255 levels, where {TOLERANCES[precision]} is allowed; nothing was written"
                    + ("; --precision float32 keeps all digits" if precision == "float16" else "")
                )
            largest = max(largest, steps)
    return largest
