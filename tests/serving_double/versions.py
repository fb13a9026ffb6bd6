"""Several versions of a model with labels, as a file of TF Serving says, which is read again while the server runs."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from tests.serving_double.refusals import PATIENCE, Refused, invalid
from tests.serving_double.served import Served


class Versions:
    """The versions that a `models.config` lists; found as those of `Served`.

    Args:
        directory: of the model, which holds the versions; the path in the file is that in a container.
        load: loads the version of a directory.
        poll: seconds from one look at the file to the next.
    """

    def __init__(self, directory: Path, load: Callable[[Path], Served], poll: float):
        self.name = directory.name
        self._directory, self._load = directory, load
        self._config = directory / "serving" / "models.config"
        self._read = ""
        self._loaded: dict[int, Served] = {}
        self._unloaded: list[Served] = []
        self._labels: dict[str, int] = {}
        self._closing = threading.Event()
        self._reload()
        self._thread = threading.Thread(target=self._follow, args=(poll,), daemon=True)
        self._thread.start()

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """As that of `Served`, of all versions."""
        return [run for served in (*self._loaded.values(), *self._unloaded) for run in served.runs]

    @property
    def answered(self) -> int:
        """As that of `Served`, of all versions."""
        return sum(served.answered for served in (*self._loaded.values(), *self._unloaded))

    def find(self, name: str, version: int | None, label: str | None) -> Served:
        """Returns what is asked for; refuses what is not served."""
        if label:
            if label not in self._labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            version = self._labels[label]
        loaded = self._loaded  # replaced as a whole
        self.find_version(name, version)
        return loaded[max(loaded) if version is None else version]

    def find_version(self, name: str, version: int | None) -> None:
        """Refuses what is not known, as the status does, which looks at no labels."""
        if name != self.name or version not in (None, *self._loaded):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")

    def status(self) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of all versions."""
        states = get_model_status_pb2.ModelVersionStatus
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self._loaded:
            response.model_version_status.add(version=version, state=states.AVAILABLE)
        for served in self._unloaded:
            if served.version not in self._loaded:
                response.model_version_status.add(version=served.version, state=states.END)
        return response

    def close(self) -> None:
        """Ends looking at the file, and closes the sessions."""
        self._closing.set()
        self._thread.join(PATIENCE)
        for served in (*self._loaded.values(), *self._unloaded):
            served.close()

    def _follow(self, poll: float) -> None:
        while not self._closing.wait(poll):
            self._reload()

    def _reload(self) -> None:
        text = self._config.read_text()
        if text == self._read:
            return
        self._read = text
        server = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        (config,) = server.model_config_list.config
        listed, labels = set(config.model_version_policy.specific.versions), dict(config.version_labels)
        # At the start no version is there, which --allow_version_labels_for_unavailable_models is for.
        absent = {label: version for label, version in labels.items() if version not in self._loaded}
        if self._loaded and absent:
            print(f"refused {self._config}: {absent} are not available", file=sys.stderr)
            return
        loaded = {
            version: self._loaded.get(version) or self._load(self._directory / str(version)) for version in listed
        }
        # Those that are given up answer what they have begun.
        self._unloaded += [served for version, served in self._loaded.items() if version not in listed]
        self._loaded, self._labels = loaded, labels
