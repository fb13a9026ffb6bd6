"""A model behind a server: shapes that are checked before they are sent, further tries, time limits."""

import abc
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from stargan_tf.serving import headers
from stargan_tf.serving.connection import Connection
from stargan_tf.serving.served_model import InvalidRequest, ServedModel, ServerOutOfReach, ServerUnavailable, texts

# Seconds before the first retry, doubled for each further one, times a random factor, so that clients that failed
# together do not come back together.
_FIRST_PAUSE = 0.2
_JITTER = (0.5, 1.5)

# The inputs that are whole numbers; a domain is one in the plain signatures, and else a name.
_INTEGERS = {"seed": np.int64, "domain": np.int32}

Answer = TypeVar("Answer")


class Unavailable(Exception):
    """A try that failed because the server is not there or takes no requests at present; another may succeed."""


class Client(ServedModel):
    """A model served by TF Serving; `GrpcClient` and `RestClient` speak its two protocols.

    Args:
        server: where TF Serving listens, like "localhost:8500"; by default this machine and the protocol's usual port.
        settings: other fields of `Connection`, by name.

    Raises:
        UserError: as of `Connection`, or a package is missing.
    """

    _DEFAULT_SERVER: str

    def __init__(self, server: str | None = None, **settings: Any):
        self._connection = Connection(server, **settings)
        self.server = self._connection.shown or self._DEFAULT_SERVER
        self._connect()

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `ServedModel.predict`."""
        arrays = {name: _as_sent(name, values) for name, values in inputs.items()}
        self._check_rows(arrays)
        self._check_shapes(arrays)
        return self._try(lambda timeout: self._predict(signature, arrays, timeout))

    def status(self) -> dict[int, str]:
        """Asks for the versions that the server knows of the model, with their states ("AVAILABLE" and others).

        Returns:
            The states by number; with a label only that of its version.

        Raises:
            ServerUnavailable: there was no answer, or the server does not know the model.
            InvalidRequest: the server does not know the label.
        """
        states = self._try(self._status)
        if self._connection.label is None:
            return states
        # The server tells the states of all versions when it is asked by a label, even by one that there is not.
        version = self._try(self._labelled_version)
        return {version: states[version]}

    @abc.abstractmethod
    def close(self) -> None:
        """Closes the connection."""

    @abc.abstractmethod
    def _connect(self) -> None:
        """Imports what the protocol needs, which takes seconds, and prepares the connection."""

    @abc.abstractmethod
    def _predict(self, signature: str, inputs: Mapping[str, np.ndarray], timeout: float) -> dict[str, np.ndarray]:
        """Calls a signature once; raises `Unavailable` if another try may succeed."""

    @abc.abstractmethod
    def _status(self, timeout: float) -> dict[int, str]:
        """Asks for the status once; raises `Unavailable` if another try may succeed."""

    @abc.abstractmethod
    def _labelled_version(self, timeout: float) -> int:
        """Asks once which version has the label; raises `Unavailable` if another try may succeed."""

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _check_rows(self, inputs: Mapping[str, np.ndarray]) -> None:
        # By its source, a server that merges requests aborts when it has to pad a batch with rows of one that has none.
        for name, values in inputs.items():
            if values.ndim and not len(values):
                raise InvalidRequest(f"{name} has no rows; it must have at least one")

    # One loop for both protocols: gRPC's retry policy and urllib3's Retry do not retry the same failures, and urllib3's
    # has no time limit for all tries together.
    def _try(self, call: Callable[[float], Answer]) -> Answer:
        """Calls with the seconds that are left, again after a pause while the server is unavailable."""
        start = time.monotonic()
        left = self._connection.timeout
        for tried in range(1, self._connection.retries + 2):
            try:
                return call(left)
            except Unavailable as error:
                reason = str(error).partition("\n")[0]
            pause = _FIRST_PAUSE * 2 ** (tried - 1) * random.uniform(*_JITTER)
            left = self._connection.timeout - (time.monotonic() - start) - pause
            if left <= 0 or tried > self._connection.retries:
                break
            time.sleep(pause)
        raise ServerOutOfReach(f"{self.server} is unavailable; tried {tried} times, the last time it said: {reason}")

    def _without_secrets(self, text: str) -> str:
        """Takes out of what a server or a library says what the headers hold."""
        asked = self._connection
        if asked.server and asked.shown:
            text = text.replace(asked.server, asked.shown)
        return headers.hidden(text, asked.call_headers())

    def _no_tls(self, reason: str) -> ServerUnavailable:
        return ServerUnavailable(
            f"there is no encrypted connection with {self.server}: {reason.partition(chr(10))[0]} (does it encrypt, "
            "and are root_certificates, client_certificate and client_key those that it needs?)"
        )

    def _timed_out(self) -> ServerOutOfReach:
        return ServerOutOfReach(f"{self.server} gave no answer within {self._connection.timeout:g} s (the timeout)")


def _as_sent(name: str, values: Any) -> np.ndarray:
    """Converts values to one of the types of the model's inputs."""
    array = np.asarray(values)
    if array.dtype.kind in "OSU":
        # Not np.asarray(..., "S"), which drops trailing zero bytes.
        return texts(array.ravel().tolist()).reshape(array.shape)
    return array.astype(_INTEGERS.get(name, np.float32), copy=False)
