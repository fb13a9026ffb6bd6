"""Models as ONNX files, for ONNX Runtime and what else reads them."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stargan_tf.inference.translator import Translator
from stargan_tf.serving import portable

# The newest that tf2onnx writes.
OPSET = 18


def write(translator: Translator, directory: Path, card: Mapping[str, Any]) -> dict[str, float]:
    """Writes NAME.onnx for each of `portable.functions`, with any number of rows, and compares each in ONNX Runtime.

    Args:
        translator: of the networks.
        directory: where to, which must exist.
        card: the model card, which goes into the files' metadata along with the names of the domains.

    Returns:
        The largest difference from the networks by name of the function.

    Raises:
        UserError: a file differs from the networks.
    """
    import onnx
    import onnxruntime
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    differences = {}
    for name, function in portable.functions(translator).items():
        model, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
        metadata = {"domains": json.dumps(list(translator.domains)), "model_card": json.dumps(card)}
        onnx.helper.set_model_props(model, metadata)
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"  # the only axis whose length is free
        onnx.checker.check_model(model, full_check=True)
        path = directory / f"{name}.onnx"
        onnx.save(model, path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        def run(inputs, session=session):
            return session.run(None, dict(inputs))[0]

        differences[name] = max(portable.check(name, function, run, len(translator.domains), rows) for rows in (1, 3))
    return differences
