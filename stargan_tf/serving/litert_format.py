"""Models as LiteRT files (once TensorFlow Lite), for phones and small devices."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from stargan_tf.inference.translator import Translator
from stargan_tf.serving import portable


def write(translator: Translator, directory: Path, card: Mapping[str, Any]) -> dict[str, float]:
    """Writes NAME.tflite for each of `portable.functions`, with one row, and compares each in the LiteRT runtime.

    Args:
        translator: of the networks.
        directory: where to, which must exist.
        card: the model card, which the caller writes beside the files.

    Returns:
        The largest difference from the networks by name of the function.

    Raises:
        UserError: a file differs from the networks.
    """
    from ai_edge_litert.interpreter import Interpreter

    logging.getLogger("absl").setLevel(logging.ERROR)
    differences = {}
    for name, function in portable.functions(translator).items():
        # One row: the runtime plans its memory for fixed shapes.
        specs = [tf.TensorSpec((1, *spec.shape[1:]), spec.dtype, spec.name) for spec in function.input_signature]
        module = tf.Module()
        module.weights = [variable.value for variable in translator.variables]
        single = tf.function(function.python_function, input_signature=specs, autograph=False)
        path = directory / f"{name}.tflite"
        # Through a SavedModel: only so do inputs and outputs keep their names.
        with tempfile.TemporaryDirectory() as saved:
            tf.saved_model.save(module, saved, signatures=single.get_concrete_function())
            path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(saved).convert())
        runner = Interpreter(model_path=str(path)).get_signature_runner()

        def run(inputs, runner=runner):
            (output,) = runner(**inputs).values()
            return output

        differences[name] = portable.check(name, function, run, len(translator.domains), rows=1)
    return differences
