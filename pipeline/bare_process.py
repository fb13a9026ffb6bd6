"""Loads a SavedModel and answers requests as a server does: with TensorFlow and without any code of this project.

Run by `components.infra_validator` as a script: `python -I bare_process.py MODEL REQUESTS SECONDS`. Each request is a
tf.train.Example with the name of a signature and, for each input, a serialized TensorProto. Each event is printed as a
line of JSON.
"""

import gc
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2


def main(model_path: Path, requests_path: str, seconds: float) -> None:
    """Loads the model and answers the requests; at the time limit SIGALRM kills the process, even inside TensorFlow."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # A model that needs this project's code must fail here as it would on a server, where the code is not installed.
    for name in ("stargan_tf", "data_prep", "pipeline"):
        sys.modules[name] = None  # type: ignore[assignment]  # documented: importing it raises ImportError
    start = time.monotonic()
    try:
        _check_assets(model_path)
        model = tf.saved_model.load(str(model_path))
    except Exception as error:
        _tell(event="load", error=_describe(error))
        return
    _tell(event="load", seconds=time.monotonic() - start, signatures=sorted(model.signatures))
    for record in tf.data.TFRecordDataset(requests_path).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        values = {name: feature.bytes_list.value[0] for name, feature in features.items()}
        signature = values.pop("signature").decode()
        _tell(event="request", signature=signature)
        start = time.monotonic()
        try:
            function = model.signatures[signature]
            specs = function.structured_input_signature[1]
            inputs = {name: tf.io.parse_tensor(values[name], spec.dtype) for name, spec in specs.items()}
            outputs = {name: value.numpy() for name, value in function(**inputs).items()}
        except Exception as error:
            _tell(event="answer", error=_describe(error))
        else:
            _tell(event="answer", seconds=time.monotonic() - start, error=_mistake(outputs))
    _tell(event="end")
    gc.freeze()  # or the interpreter looks through the model for garbage while it ends, which takes seconds


def _check_assets(model_path: Path) -> None:
    """Raises FileNotFoundError for a missing asset, which TensorFlow would notice only when it is used."""
    saved_model = saved_model_pb2.SavedModel.FromString((model_path / "saved_model.pb").read_bytes())
    for graph in saved_model.meta_graphs:
        for asset in graph.asset_file_def:
            if not (model_path / "assets" / asset.filename).is_file():
                raise FileNotFoundError(f"the asset {asset.filename} is missing")


def _mistake(outputs: dict[str, np.ndarray]) -> str | None:
    """Returns what is wrong with an answer."""
    for row, error in enumerate(outputs.get("error", ())):
        if error:
            return f"row {row}: {error.decode(errors='replace')}"
    for name, value in outputs.items():
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            return f"output {name} has values that are not finite"
    return None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip()}"


def _tell(**values) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
