"""A SavedModel in a session, as TF Serving holds it."""

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.config_pb2 import CallableOptions


class Session:
    """A SavedModel in a session, as TF Serving holds it."""

    def __init__(self, version: Path):
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph)
        with self._graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], str(version))
        self.definitions = dict(loaded.signature_def)
        self.signatures = {
            name: signature
            for name, signature in self.definitions.items()
            if signature.method_name == "tensorflow/serving/predict"
        }
        self._callables = {}
        self._lock = threading.Lock()

    def run(self, name: str, inputs: Mapping[str, np.ndarray], wanted: tuple[str, ...]) -> list[np.ndarray]:
        """Feeds and fetches tensors by their names, of whatever shapes they are."""
        signature = self.signatures[name]
        with self._lock:
            if (name, wanted) not in self._callables:
                options = CallableOptions(
                    feed=[signature.inputs[alias].name for alias in sorted(signature.inputs)],
                    fetch=[signature.outputs[alias].name for alias in wanted],
                )
                # Unlike Session.run, this does not compare shapes with the placeholders', and no more does TF Serving.
                self._callables[name, wanted] = self._session._make_callable_from_options(options)
        return self._callables[name, wanted](*(inputs[alias] for alias in sorted(inputs)))

    def close(self) -> None:
        self._callables.clear()
        self._session.close()
