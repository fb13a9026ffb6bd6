"""TF Serving's REST interface."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from stargan_tf.base import extras
from stargan_tf.serving.remote_model import Client, Unavailable
from stargan_tf.serving.served_model import InvalidRequest, ServerUnavailable, invalid_request, texts


class RestClient(Client):
    """Reaches a model by REST, which is slower than gRPC but passes most proxies; see `Client` for the arguments.

    The address of the server may have a path, like "https://example.org/serving".

    Source: https://www.tensorflow.org/tfx/serving/api_rest
    """

    _DEFAULT_SERVER = "localhost:8501"

    def _connect(self) -> None:
        extras.require("serving", "requests")
        import requests
        import urllib3

        self._requests, self._urllib3 = requests, urllib3
        self._session = requests.Session()
        asked = self._connection
        which = ""
        if asked.version is not None:
            which = f"/versions/{asked.version}"
        elif asked.label is not None:
            which = f"/labels/{quote(asked.label, safe='')}"
        base = (asked.server or self._DEFAULT_SERVER).rstrip("/")
        if "://" not in base:
            base = f"{'https' if asked.encrypted else 'http'}://{base}"
        if asked.client_certificate is not None and asked.client_key is not None:
            self._session.cert = (asked.client_certificate, asked.client_key)
        self._url = f"{base}/v1/models/{quote(asked.model, safe='')}{which}"

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _predict(self, signature: str, inputs: Mapping[str, np.ndarray], timeout: float) -> dict[str, np.ndarray]:
        columns = {name: to_json(name, values) for name, values in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        outputs = self._call("POST", ":predict", timeout, body)["outputs"]
        if not isinstance(outputs, dict):  # TF Serving leaves out the name of a single output
            metadata = self._call("GET", "/metadata", timeout)["metadata"]
            (name,) = metadata["signature_def"]["signature_def"][signature]["outputs"]
            outputs = {name: outputs}
        return {name: from_json(column) for name, column in outputs.items()}

    def _status(self, timeout: float) -> dict[int, str]:
        versions = self._call("GET", "", timeout)["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in versions}

    def _labelled_version(self, timeout: float) -> int:
        return int(self._call("GET", "/metadata", timeout)["model_spec"]["version"])

    def _call(self, method: str, path: str, timeout: float, body: bytes | None = None) -> dict[str, Any]:
        limit = self._connection.message_limit
        too_large = ServerUnavailable(
            f"a request to {self.server} or its answer is larger than {self._connection.max_message_mb} MiB "
            "(max_message_mb)"
        )
        if body is not None and len(body) > limit:
            raise too_large
        headers = self._connection.call_headers()
        if any(name.lower() == "authorization" for name in headers):
            self._session.auth = lambda request: request  # else a password in ~/.netrc would take its place
        try:
            with self._session.request(
                method,
                self._url + path,
                data=body,
                headers={**headers, "Content-Type": "application/json"},
                # Here and not in the session, where REQUESTS_CA_BUNDLE of the environment is stronger.
                verify=self._connection.root_certificates,
                # A token is for this server alone; the library takes away only Authorization for another.
                allow_redirects=not headers,
                # A number would limit each wait, not their sum; the types of requests leave this class out.
                timeout=self._urllib3.Timeout(total=timeout),  # type: ignore[arg-type]
                stream=True,
            ) as response:
                answer = response.raw.read(limit + 1, decode_content=True)
        except (self._requests.Timeout, self._urllib3.exceptions.TimeoutError):
            raise self._timed_out() from None
        except self._requests.exceptions.SSLError as error:
            raise self._no_tls(_cause(error)) from None
        except self._requests.ConnectionError as error:
            raise Unavailable(_cause(error)) from None
        except (self._requests.RequestException, self._urllib3.exceptions.HTTPError) as error:
            problem = self._without_secrets(str(error))
            raise ServerUnavailable(
                f"{self.server} could not be asked for {self._connection.asked}: {problem}"
            ) from None
        if len(answer) > limit:
            raise too_large
        try:
            content = json.loads(answer)
        except ValueError:  # not TF Serving, perhaps a proxy's page
            content = {"error": answer[:200].decode(errors="replace")}
        if response.status_code == 200 and "error" not in content:
            return content
        details = self._without_secrets(str(content.get("error", "")))
        if response.status_code == 503:
            raise Unavailable(details)
        if response.status_code == 400:
            raise invalid_request(details)
        if response.status_code == 404:
            raise ServerUnavailable(f"{self.server} does not serve {self._connection.asked}: {details}")
        raise ServerUnavailable(
            f"{self.server} answered HTTP {response.status_code} when asked for {self._connection.asked}: {details}"
        )


def _cause(error: Exception) -> str:
    """What is behind an error of requests."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", cause))


def to_json(name: str, values: np.ndarray) -> Any:
    """Writes an input as TF Serving's JSON: nested lists, bytes as base64."""
    if values.dtype != object:
        if not np.isfinite(values).all():
            raise InvalidRequest(f"{name} holds a number that is not finite, which JSON cannot carry")
        return values.tolist()
    return np.vectorize(lambda value: _text_to_json(name, value), otypes=[object])(values).tolist()


def _text_to_json(name: str, value: bytes) -> Any:
    if not name.endswith("_bytes"):
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass  # sent as bytes, so that the model refuses it in its own words
    return {"b64": base64.b64encode(value).decode()}


def from_json(column: Any) -> np.ndarray:
    """Reads an output of TF Serving's JSON."""
    first = column
    shape = []
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    if not isinstance(first, str | dict):
        return np.array(column, np.float32)
    flat = np.array(column, object).ravel().tolist()
    values = [base64.b64decode(value["b64"]) if isinstance(value, dict) else value for value in flat]
    return texts(values).reshape(shape)
