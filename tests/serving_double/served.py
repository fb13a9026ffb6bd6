"""The model that the double serves: found by name, version and label, run alone or merged with other requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from stargan_tf.serving import warmup
from stargan_tf.serving.served_model import newest_version
from tests.serving_double.batching import Batcher, Run
from tests.serving_double.refusals import Refused, invalid
from tests.serving_double.session import Session
from tests.serving_double.tensors import parse_inputs

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Served:
    """A model in a session.

    Args:
        path: directory of a model, whose newest version is served under the directory's name.
        labels: labels of the version.
        unloaded: numbers of versions that were served before.
        batching: batch sizes to which concurrent requests of a signature are merged and padded, rising; None if they
            are not merged.
        window: seconds that a batch waits for further requests.
        max_batch_size: rows of a request at most, which is split over batches; by default those of a batch.
        session: of that version, if it is loaded already; it is not closed here.
    """

    def __init__(
        self,
        path: Path,
        labels: Sequence[str],
        batching: Sequence[int] | None,
        window: float,
        session: Session | None,
        max_batch_size: int | None = None,
        unloaded: Sequence[int] = (),
    ):
        self.directory = newest_version(path)
        self.name = self.directory.parent.name
        self.version = int(self.directory.name)
        self.labels = labels
        self.unloaded = unloaded
        self.answered = 0  # requests
        self._session = Session(self.directory) if session is None else session
        self._owns_session = session is None
        self._run: Run = (
            self._session.run if batching is None else Batcher(self._session.run, batching, window, max_batch_size)
        )

    def warm_up(self) -> None:
        """Runs the model's warm-up requests, without which the first request of each signature takes seconds."""
        for request in warmup.read(self.directory):
            name = request.model_spec.signature_name
            signature = self._session.signatures[name]
            self._session.run(name, parse_inputs(request.inputs, signature.inputs), tuple(sorted(signature.outputs)))

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Signature, requests and rows (with padding) of every run that was merged of requests."""
        return self._run.runs if isinstance(self._run, Batcher) else []

    def close(self) -> None:
        """Closes the session."""
        if self._owns_session:
            self._session.close()

    def find(self, name: str, version: int | None, label: str | None) -> "Served":
        """Returns itself; refuses what is not served."""
        if label and label not in self.labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        self.find_version(name, version)
        return self

    def find_version(self, name: str, version: int | None) -> None:
        """Refuses what is not known, as the status does, which looks at no labels."""
        if name != self.name or version not in (None, self.version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")

    def signature(self, name: str) -> Any:
        """Returns a SignatureDef, or None."""
        return self._session.signatures.get(name or "serving_default")

    @property
    def signatures(self) -> dict[str, Any]:
        """The SignatureDefs by name."""
        return self._session.signatures

    def predict(self, name: str, inputs: Mapping[str, np.ndarray], wanted: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """Runs a signature, with whatever else is to be merged."""
        name = name or "serving_default"
        outputs = self._session.signatures[name].outputs
        wanted = tuple(wanted) or tuple(sorted(outputs))
        for alias in wanted:
            if alias not in outputs:
                raise invalid(f"output tensor alias not found in signature: {alias}")
        try:
            results = dict(zip(wanted, self._run(name, inputs, wanted), strict=True))
        except tf.errors.OpError as error:
            raise Refused(_CODES[error.error_code], error.message) from None
        self.answered += 1
        return results

    def status(self) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of all versions."""
        states = get_model_status_pb2.ModelVersionStatus
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=self.version, state=states.AVAILABLE)
        for version in self.unloaded:
            response.model_version_status.add(version=version, state=states.END)
        return response

    def signature_map(self) -> get_model_metadata_pb2.SignatureDefMap:
        """All signatures, as they are told of a model."""
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in self.signatures.items():
            definitions.signature_def[name].CopyFrom(signature)
        return definitions
