"""Warm-up requests, which TF Serving runs before it takes a new version into use.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from stargan_tf.data.images import to_png

# Where TF Serving looks for them in the directory of a version.
FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write(
    signatures: Mapping[str, Mapping[str, tf.TensorSpec]],
    card: Mapping,
    batch_sizes: Sequence[int],
    version: Path,
) -> int:
    """Writes a request for every signature and batch size.

    Args:
        signatures: the inputs of each signature, by name.
        card: the model card.
        batch_sizes: numbers of rows.
        version: directory of the version.

    Returns:
        How many requests were written.
    """
    path = version / FILE
    path.parent.mkdir()
    count = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, inputs in signatures.items():
            for rows in batch_sizes:
                writer.write(_record(name, inputs, card, rows).SerializeToString(deterministic=True))
                count += 1
    return count


def read(version: Path) -> list[predict_pb2.PredictRequest]:
    """Reads the requests of a version, in the order of the file."""
    records = tf.data.TFRecordDataset(str(version / FILE)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]


def _domains(names: Sequence[str], rows: int, spec: tf.TensorSpec | None) -> list:
    """A domain for each row, by its name or, where the signature has numbers, by that."""
    numbers = [row % len(names) for row in range(rows)]
    return numbers if spec is not None and spec.dtype == tf.int32 else [names[number] for number in numbers]


def _record(
    name: str, inputs: Mapping[str, tf.TensorSpec], card: Mapping, rows: int
) -> prediction_log_pb2.PredictionLog:
    height, width = card["image_size"]
    # Different images, so that as many are decoded and encoded as in the heaviest request.
    pictures = np.random.default_rng(0).integers(0, 256, (rows, height, width, 3), np.uint8)
    encoded = [to_png(Image.fromarray(picture)) for picture in pictures]
    values = {
        "image_bytes": encoded,
        "reference_bytes": encoded,
        "image": pictures.astype(np.float32) / 127.5 - 1,
        "domain": _domains(card["domains"], rows, inputs.get("domain")),
        "seed": np.arange(rows),
        "psi": [1.0] * rows,
        "format": ["png"] * rows,
        "latent": np.zeros((rows, card["latent_dim"]), np.float32),
        "style": np.zeros((rows, card["style_dim"]), np.float32),
        "request": [""] * rows,
    }
    request = predict_pb2.PredictRequest()
    request.model_spec.name = card["name"]
    request.model_spec.signature_name = name
    for key, spec in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(values[key], spec.dtype))
    return prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
