"""Client of a model served by TF Serving: `python -m stargan_tf.serving.client --server HOST:PORT translate ...`.

From Python:

    with GrpcClient("localhost:8500") as client:
        cats = client.translate_latent(photo, "cat", seeds=range(8))
"""

import abc
import base64
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import numpy as np

from stargan_tf import command_line
from stargan_tf.errors import UserError
from stargan_tf.serving.served_model import (
    InvalidRequest,
    ServedModel,
    ServerUnavailable,
    Translation,
    invalid_request,
    texts,
)

PROGRAM = "python -m stargan_tf.serving.client"
DESCRIPTION = (
    "Asks a model that TF Serving serves. Actions: translate (an image into another domain), domains (what the model "
    "is and knows), status (which versions are served)."
)

# The wait before the first further try, doubled before each of the next; half as long or half as long again by chance,
# so that clients that failed together do not come back together.
_FIRST_PAUSE = 0.2
_JITTER = (0.5, 1.5)

_SUFFIXES = {"png": (".png",), "jpeg": (".jpg", ".jpeg")}

Answer = TypeVar("Answer")


class Unavailable(Exception):
    """A try that failed because the server is not there or takes no requests at present; another may succeed."""


class Client(ServedModel):
    """A model served by TF Serving; `GrpcClient` and `RestClient` speak its two protocols.

    Args:
        server: where TF Serving listens, like "localhost:8500"; by default this machine and the protocol's usual port.
        model: name of the model.
        version: version to ask; by default the newest.
        label: label of the version to ask, like "stable"; not together with `version`.
        timeout: seconds that a call may take, all tries together.
        retries: further tries when the server is unavailable; nothing else is tried again.
        max_message_mb: largest request and answer, in MiB.

    Raises:
        UserError: version and label are given, or a package is missing.
    """

    _DEFAULT_SERVER: str

    def __init__(
        self,
        server: str | None = None,
        model: str = "stargan",
        version: int | None = None,
        label: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        max_message_mb: int = 64,
    ):
        if version is not None and label is not None:
            raise UserError(f"version is {version} and label is {label!r}; only one of them can be asked for")
        self.server = server or self._DEFAULT_SERVER
        self._model = model
        self._version = version
        self._label = label
        self._timeout = timeout
        self._retries = retries
        self._max_message_mb = max_message_mb
        try:
            self._connect()
        except ImportError as error:
            raise UserError(
                f"the package {error.name} is missing; `pip install stargan-tf[serving]` installs it"
            ) from None

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """See `ServedModel.predict`."""
        arrays = {name: _as_sent(name, values) for name, values in inputs.items()}
        self._check_shapes(arrays)
        return self._try(lambda timeout: self._predict(signature, arrays, timeout))

    def status(self) -> dict[int, str]:
        """Asks for the versions that the server knows of the model, with their states ("AVAILABLE" and others).

        Raises:
            ServerUnavailable: there was no answer, or the server does not know the model.
        """
        return self._try(self._status)

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

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _check_shapes(self, inputs: Mapping[str, np.ndarray]) -> None:
        # What harms other users of a server that merges requests: it refuses all that it merged if lengths differ, and
        # by its source it aborts when it has to fill up a batch with rows of a request that has none.
        for name, values in inputs.items():
            if values.ndim and not len(values):
                raise InvalidRequest(f"{name} has no rows; it must have at least one")
            if name in ("latent", "style") and values.ndim == 2:
                length = self.card[f"{name}_dim"]
                if values.shape[1] != length:
                    raise InvalidRequest(f"{name} has {values.shape[1]} numbers; it must have {length}")

    def _try(self, call: Callable[[float], Answer]) -> Answer:
        """Calls with the seconds that are left, again after a pause while the server is unavailable."""
        start = time.monotonic()
        left = self._timeout
        for tried in range(1, self._retries + 2):
            try:
                return call(left)
            except Unavailable as error:
                reason = str(error).partition("\n")[0]
            pause = _FIRST_PAUSE * 2 ** (tried - 1) * random.uniform(*_JITTER)
            left = self._timeout - (time.monotonic() - start) - pause
            if left <= 0 or tried > self._retries:
                break
            time.sleep(pause)
        raise ServerUnavailable(f"{self.server} is unavailable; tried {tried} times, the last time it said: {reason}")

    def _asked(self) -> str:
        """Names the model and the version asked for."""
        if self._version is not None:
            return f"{self._model!r} version {self._version}"
        return repr(self._model) if self._label is None else f"{self._model!r} version {self._label!r}"

    def _timed_out(self) -> ServerUnavailable:
        return ServerUnavailable(f"{self.server} gave no answer within {self._timeout:g} s (the timeout)")


class GrpcClient(Client):
    """Reaches a model by gRPC; see `Client` for the arguments.

    Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/apis/prediction_service.proto
    """

    _DEFAULT_SERVER = "localhost:8500"

    def _connect(self) -> None:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import (
            get_model_status_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )

        self._grpc, self._tf = grpc, tf
        self._predict_request = predict_pb2.PredictRequest
        self._status_request = get_model_status_pb2.GetModelStatusRequest
        limit = self._max_message_mb * 2**20
        options = {
            "grpc.max_receive_message_length": limit,  # 4 MiB otherwise, and a few images are more
            "grpc.max_send_message_length": limit,
            # Else the channel waits longer and longer before it looks for a server that was away.
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.min_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": 1000,
        }
        self._channel = grpc.insecure_channel(self.server, list(options.items()))
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._service = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _predict(self, signature: str, inputs: Mapping[str, np.ndarray], timeout: float) -> dict[str, np.ndarray]:
        request = self._predict_request()
        self._specify(request.model_spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            dtype = self._tf.string if values.dtype == object else values.dtype
            request.inputs[name].CopyFrom(self._tf.make_tensor_proto(values, dtype, values.shape))
        response = self._call(self._prediction.Predict, request, timeout)
        return {name: self._tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

    def _status(self, timeout: float) -> dict[int, str]:
        request = self._status_request()
        self._specify(request.model_spec)
        response = self._call(self._service.GetModelStatus, request, timeout)
        versions = response.model_version_status
        return {entry.version: entry.State.Name(entry.state) for entry in versions}

    def _specify(self, spec: Any) -> None:
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version
        elif self._label is not None:
            spec.version_label = self._label

    def _call(self, method: Callable[..., Answer], request: Any, timeout: float) -> Answer:
        codes = self._grpc.StatusCode
        try:
            return method(request, timeout=timeout)
        except self._grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
        if code == codes.UNAVAILABLE:
            raise Unavailable(details)
        if code == codes.INVALID_ARGUMENT:
            raise invalid_request(details)
        if code == codes.DEADLINE_EXCEEDED:
            raise self._timed_out()
        if code == codes.NOT_FOUND:
            raise ServerUnavailable(f"{self.server} does not serve {self._asked()}: {details}")
        if code == codes.RESOURCE_EXHAUSTED:
            details += f" (max_message_mb is {self._max_message_mb})"
        raise ServerUnavailable(f"{self.server} answered {code.name} when asked for {self._asked()}: {details}")


class RestClient(Client):
    """Reaches a model by REST, which is slower than gRPC but passes most proxies; see `Client` for the arguments.

    `server` may be a URL too, like "https://example.org/serving".

    Source: https://www.tensorflow.org/tfx/serving/api_rest
    """

    _DEFAULT_SERVER = "localhost:8501"

    def _connect(self) -> None:
        import requests
        import urllib3

        self._requests, self._urllib3 = requests, urllib3
        self._session = requests.Session()
        which = ""
        if self._version is not None:
            which = f"/versions/{self._version}"
        elif self._label is not None:
            which = f"/labels/{quote(self._label, safe='')}"
        base = self.server.rstrip("/") if "://" in self.server else f"http://{self.server}"
        self._url = f"{base}/v1/models/{quote(self._model, safe='')}{which}"

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _predict(self, signature: str, inputs: Mapping[str, np.ndarray], timeout: float) -> dict[str, np.ndarray]:
        columns = {name: _to_json(name, values) for name, values in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        outputs = self._call("POST", ":predict", timeout, body)["outputs"]
        if not isinstance(outputs, dict):  # of a single output TF Serving leaves out the name
            metadata = self._call("GET", "/metadata", timeout)["metadata"]
            (name,) = metadata["signature_def"]["signature_def"][signature]["outputs"]
            outputs = {name: outputs}
        return {name: _from_json(column) for name, column in outputs.items()}

    def _status(self, timeout: float) -> dict[int, str]:
        versions = self._call("GET", "", timeout)["model_version_status"]
        return {int(entry["version"]): entry["state"] for entry in versions}

    def _call(self, method: str, path: str, timeout: float, body: bytes | None = None) -> dict[str, Any]:
        limit = self._max_message_mb * 2**20
        too_large = ServerUnavailable(
            f"a request to {self.server} or its answer is larger than {self._max_message_mb} MiB (max_message_mb)"
        )
        if body is not None and len(body) > limit:
            raise too_large
        try:
            with self._session.request(
                method,
                self._url + path,
                data=body,
                headers={"Content-Type": "application/json"},
                # A number would limit each wait, not all of them together.
                timeout=self._urllib3.Timeout(total=timeout),
                stream=True,
            ) as response:
                answer = response.raw.read(limit + 1, decode_content=True)
        except (self._requests.Timeout, self._urllib3.exceptions.TimeoutError):
            raise self._timed_out() from None
        except self._requests.ConnectionError as error:
            cause = error.args[0] if error.args else error
            raise Unavailable(str(getattr(cause, "reason", cause))) from None
        except (self._requests.RequestException, self._urllib3.exceptions.HTTPError) as error:
            raise ServerUnavailable(f"{self.server} could not be asked for {self._asked()}: {error}") from None
        if len(answer) > limit:
            raise too_large
        try:
            content = json.loads(answer)
        except ValueError:  # not TF Serving, perhaps a proxy's page
            content = {"error": answer[:200].decode(errors="replace")}
        if response.status_code == 200 and "error" not in content:
            return content
        details = content.get("error", "")
        if response.status_code == 503:
            raise Unavailable(details)
        if response.status_code == 400:
            raise invalid_request(details)
        if response.status_code == 404:
            raise ServerUnavailable(f"{self.server} does not serve {self._asked()}: {details}")
        raise ServerUnavailable(
            f"{self.server} answered HTTP {response.status_code} when asked for {self._asked()}: {details}"
        )


def _as_sent(name: str, values: Any) -> np.ndarray:
    """Gives values one of the three types that the model's inputs have."""
    array = np.asarray(values)
    if array.dtype.kind in "OSU":
        # Not np.asarray(..., "S"), which drops trailing zero bytes.
        return texts(array.ravel().tolist()).reshape(array.shape)
    return array.astype(np.int64 if name == "seed" else np.float32, copy=False)


def _to_json(name: str, values: np.ndarray) -> Any:
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
            pass  # sent as bytes, so that it is the model that refuses it
    return {"b64": base64.b64encode(value).decode()}


def _from_json(column: Any) -> np.ndarray:
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


# The command ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where the model is.

    Args:
        server: host and port of TF Serving, like localhost:8500.
        protocol: grpc (port 8500 as a rule) or rest (8501).
        model: name of the model.
        version: version to ask; by default the newest.
        label: label of the version to ask, like stable.
        timeout: seconds that a call may take, all tries together.
        retries: further tries when the server is unavailable.
        max_message_mb: largest request and answer, in MiB.
    """

    server: str
    protocol: Literal["grpc", "rest"] = "grpc"
    model: str = "stargan"
    version: int | None = None
    label: str | None = None
    timeout: float = 30.0
    retries: int = 3
    max_message_mb: int = 64


@dataclass(frozen=True, kw_only=True)
class Translate(Connection):
    """What to translate, and where to.

    Args:
        image: file to translate; JPEG, PNG, GIF or BMP.
        output: directory to write into, or with one style also the file to write (.png, .jpg).
        domain: name of the target domain; only --style does without.
        seed: of the first style drawn, the next have the seeds that follow; 0 if no style is given in another way.
        styles: number of styles drawn.
        psi: truncation of drawn styles; 1 for full variety, 0 for the mean style of the domain.
        reference: image file whose style is taken, seen as an image of --domain.
        style: .npy file with a style code or several, as this command writes them beside the images.
        format: png or jpeg; by default what --output ends in, else png.
    """

    image: str
    output: str
    domain: str | None = None
    seed: int | None = None
    styles: int = 1
    psi: float = 1.0
    reference: str | None = None
    style: str | None = None
    format: Literal["png", "jpeg"] | None = None


def connect(arguments: Connection) -> Client:
    """Makes the client that the arguments ask for."""
    client = {"grpc": GrpcClient, "rest": RestClient}[arguments.protocol]
    for name in ("timeout", "max_message_mb"):
        if getattr(arguments, name) <= 0:
            raise UserError(f"--{name} is {getattr(arguments, name)}; it must be more than 0")
    if arguments.retries < 0:
        raise UserError(f"--retries is {arguments.retries}; it must be at least 0")
    names = ("server", "model", "version", "label", "timeout", "retries", "max_message_mb")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it is told in one sentence what went wrong
    with command_line.quiet_start():
        return client(**{name: getattr(arguments, name) for name in names})


def translate(arguments: Translate) -> None:
    """Translates an image as the arguments say, and writes images and style codes.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, a file that exists, or no translation.
    """
    _check_guides(arguments)
    image = _read(arguments.image, "--image")
    reference = None if arguments.reference is None else _read(arguments.reference, "--reference")
    codes = None if arguments.style is None else _read_styles(arguments.style)
    first = arguments.seed or 0
    seeds = range(first, first + arguments.styles)
    if codes is not None:
        names = [f"{Path(arguments.style).stem}_{row}" for row in range(len(codes))]
    elif reference is not None:
        names = [f"{arguments.domain}_{Path(arguments.reference).stem}"]
    else:
        names = [f"{arguments.domain}_{seed}" for seed in seeds]
    paths, image_format = _outputs(arguments, names)
    with connect(arguments) as client:
        if codes is not None:
            translations = client.translate_styles(image, codes, image_format)
        elif reference is not None:
            translations = client.translate_references(image, arguments.domain, [reference], image_format)
        else:
            translations = client.translate_latent(image, arguments.domain, seeds, arguments.psi, image_format)
    for path, translation in zip(paths, translations, strict=True):
        _write(path, translation)
        print(f"wrote {path} and {path.with_suffix('.npy').name}")


def show_domains(arguments: Connection) -> None:
    """Prints the domains and the main facts of the model card."""
    with connect(arguments) as client:
        card = client.card
    for name, value in card.items():
        if isinstance(value, list) and not any(isinstance(entry, dict) for entry in value):
            print(f"{name}: {', '.join(map(str, value))}")
        elif isinstance(value, str | int | float):
            print(f"{name}: {value}")


def show_status(arguments: Connection) -> None:
    """Prints the versions that are served, with their states."""
    with connect(arguments) as client:
        for version, state in sorted(client.status().items()):
            print(f"version {version}: {state}")


ACTIONS: dict[str, tuple[type, Callable[[Any], None]]] = {
    "translate": (Translate, translate),
    "domains": (Connection, show_domains),
    "status": (Connection, show_status),
}


def _check_guides(arguments: Translate) -> None:
    given = [f"--{name}" for name in ("seed", "reference", "style") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} are given; a style can be taken from only one of them")
    if arguments.style is None and arguments.domain is None:
        raise UserError("--domain is not given; `domains` lists those that the model knows")
    if arguments.style is not None and arguments.domain is not None:
        raise UserError(f"--domain is {arguments.domain!r}, but the style codes of --style belong to a domain already")
    if arguments.styles < 1:
        raise UserError(f"--styles is {arguments.styles}; it must be at least 1")
    last = (arguments.seed or 0) + arguments.styles - 1
    if not -(2**63) <= last < 2**63 or (arguments.seed or 0) < -(2**63):
        raise UserError(f"--seed is {arguments.seed}; seeds must be whole numbers of 64 bits")


def _read(path: str, flag: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path!r} ({flag}): {error.strerror}") from None


def _read_styles(path: str) -> np.ndarray:
    """Reads one style code or several; returns [S, style_dim]."""
    try:
        codes = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {path!r} (--style): {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{path!r} (--style) is not a .npy file of numbers") from None
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "fiu" or codes.ndim not in (1, 2) or not codes.size:
        raise UserError(f"{path!r} (--style) does not hold a style code or a list of them")
    return np.atleast_2d(codes)


def _outputs(arguments: Translate, names: Sequence[str]) -> tuple[list[Path], str]:
    """Decides which files to write, and their format; refuses to replace any."""
    output = Path(arguments.output)
    suffix = output.suffix.lower()
    of_suffix = next((name for name, suffixes in _SUFFIXES.items() if suffix in suffixes), None)
    if of_suffix is not None and not output.is_dir():
        if len(names) != 1:
            raise UserError(f"--output {arguments.output!r} is one file, but {len(names)} images are to be written")
        if arguments.format not in (None, of_suffix):
            raise UserError(f"--format is {arguments.format}, but --output {arguments.output!r} is another format")
        paths, image_format = [output], of_suffix
    else:
        image_format = arguments.format or "png"
        # A domain may have any name, but only one that is a file's name can become part of one.
        stem = Path(arguments.image).stem
        files = [f"{stem}_{name}".replace("/", "_") + _SUFFIXES[image_format][0] for name in names]
        paths = [output / file for file in files]
        if output.exists() and not output.is_dir():
            raise UserError(f"--output {arguments.output!r} is a file, but neither a .png nor a .jpg")
    for path in paths:
        for file in (path, path.with_suffix(".npy")):
            if file.exists():
                raise UserError(f"{str(file)!r} exists; choose another --output")
    return paths, image_format


def _write(path: Path, translation: Translation) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(translation.image)
        with path.with_suffix(".npy").open("xb") as file:
            np.save(file, translation.style)
    except OSError as error:
        raise UserError(f"cannot write {str(path)!r}: {error.strerror}") from None


def _action(argv: Sequence[str]) -> int | None:
    """Finds the action: the first word that is neither a flag nor the value of one."""
    value_follows = False
    for index, word in enumerate(argv):
        if not value_follows and not word.startswith("-"):
            return index
        takes_value = "=" not in word and word not in ("-h", "--help", "--print_config", "--print-config")
        value_follows = not value_follows and takes_value
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    index = _action(argv)
    action = None if index is None else argv.pop(index)
    if action in ACTIONS:
        arguments_type, run = ACTIONS[action]
        return command_line.main(arguments_type, run, f"{PROGRAM} {action}", run.__doc__.partition("\n")[0], argv)

    def refuse(arguments: Connection) -> None:
        named = "no action is named" if action is None else f"the action is {action!r}"
        raise UserError(f"{named}; it must be one of {', '.join(ACTIONS)}")

    # Of flags that belong to an action nothing can be said as long as there is none.
    help_or_nothing = [word for word in argv if word in ("--help", "-h")]
    return command_line.main(Connection, refuse, PROGRAM, DESCRIPTION, help_or_nothing or ["--server", "localhost"])


if __name__ == "__main__":
    sys.exit(main())
