"""An exported model behind the real TF Serving: `python -m tests.serve_check --models MODELS/stargan`.

Starts the stock image by the model's own compose.yaml, asks it everything by gRPC and REST, compares the answers with
those of the same model in this process, prints a row a check, and stops the container. Not a part of pytest: it needs
Docker, and downloads the image. With --grpc and --rest it asks a server that runs already, wherever that is.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.serving.client import Client, GrpcClient, RestClient
from stargan_tf.serving.served_model import InvalidRequest, LocalModel, ServedModel, texts
from tests.serving.good_requests import SIGNATURES

PROGRAM = "python -m tests.serve_check"
DESCRIPTION = "Starts TF Serving with an exported model and checks what it answers."

# Of its own, so that a server of the same model that is in use is neither found nor stopped.
_PROJECT = "stargan-serve-check"
_SERVICE = "serving"
_GRPC, _REST = "127.0.0.1:8500", "127.0.0.1:8501"
_START_SECONDS = 900

# What the same arithmetic may differ by in batches of other sizes: style codes and images of [-1, 1], and pixels.
_TOLERANCE = 1e-3
_PIXEL_TOLERANCE = 2
_CONCURRENT = 16

Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        models: directory of an exported model, with serving/ in it.
        grpc: host and port of a server that runs already and is not started here; needs --rest.
        rest: its host and port for REST.
    """

    models: str
    grpc: str | None = None
    rest: str | None = None


def run(arguments: Arguments) -> int:
    """Starts the server, checks, and stops it.

    Returns:
        0 if all is well, 1 if a check failed.

    Raises:
        UserError: there is no exported model, no Docker, or the server does not start.
    """
    directory = Path(arguments.models).resolve()
    config = directory / "serving" / "models.config"
    if not config.is_file():
        raise UserError(f"there is no {str(config)!r}; `python -m stargan_tf.export` writes it with a model")
    if (arguments.grpc is None) != (arguments.rest is None):
        raise UserError("--grpc and --rest belong together; give both for a server that runs, or none to start one")
    if arguments.grpc is not None:
        return _check(directory, arguments.grpc, arguments.rest, logs=None)
    _find_docker()
    with _container(directory / "serving" / "compose.yaml") as logs:
        return _check(directory, _GRPC, _REST, logs)


def _find_docker() -> None:
    if shutil.which("docker") is None:
        raise UserError("Docker is missing: there is no command `docker`; this check starts TF Serving by it")
    for command, what in ((["compose", "version"], "Docker Compose 2 is missing"), (["info"], "Docker does not run")):
        result = subprocess.run(["docker", *command], capture_output=True, text=True)
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[0]
            raise UserError(f"{what}: `docker {' '.join(command)}` failed and said: {said}")


@contextmanager
def _container(compose: Path) -> Iterator[Callable[[], str]]:
    """Runs the server until the block ends, however it ends; gives a function that reads its log."""
    command = ["docker", "compose", "--project-name", _PROJECT, "--file", str(compose)]
    environment = os.environ | {"TF_SERVING_ADDRESS": "127.0.0.1"}

    def logs() -> str:
        result = subprocess.run([*command, "logs", "--no-color", _SERVICE], capture_output=True, text=True)
        return result.stdout + result.stderr

    try:
        wait = ["--wait", "--wait-timeout", str(_START_SECONDS)]
        if subprocess.run([*command, "up", "--detach", *wait, _SERVICE], env=environment).returncode:
            print(logs()[-4000:], file=sys.stderr)
            raise UserError("TF Serving did not start or was not healthy in time; its log is above")
        yield logs
    finally:
        subprocess.run([*command, "down", "--timeout", "10"], env=environment)


def _check(directory: Path, grpc: str, rest: str, logs: Callable[[], str] | None) -> int:
    """Runs all checks; returns the exit code."""
    with command_line.quiet_start():
        name, labels = _read_config(directory / "serving" / "models.config")
        local = LocalModel(directory / str(labels["stable"]))
        cases = _cases(local)
    table = _Table()
    for protocol, client_type, server in (("gRPC", GrpcClient, grpc), ("REST", RestClient, rest)):
        with table.no_failure(f"{protocol}: status"), client_type(server=server, model=name) as client:
            known = client.status()
            states = {version: known.get(version) for version in labels.values()}
            table.row(f"{protocol}: status", set(states.values()) == {"AVAILABLE"}, states)
        # Without a label the highest version would answer.
        with client_type(server=server, model=name, label="stable", timeout=120.0) as client:
            for signature, inputs in cases.items():
                with table.no_failure(f"{protocol}: {signature}"):
                    difference = _difference(client.predict(signature, inputs), local.predict(signature, inputs))
                    table.row(f"{protocol}: {signature}", difference == "", difference or "as in this process")
            for what, signature, changes in _bad_requests():
                wanted = _refusal(local, signature, cases[signature] | changes)
                with table.no_failure(f"{protocol}: {what}"):
                    given = _refusal(client, signature, cases[signature] | changes)
                    table.row(f"{protocol}: {what}", given == wanted is not None, given or "was not refused")
            with table.no_failure(f"{protocol}: one bad row"):
                inputs = cases["translate_latent"] | {"domain": cases["translate_latent"]["domain"].copy()}
                inputs["domain"][1] = b"zebra"
                outputs = client.predict("translate_latent", inputs)
                difference = _difference(outputs, local.predict("translate_latent", inputs))
                ok = difference == "" and [bool(error) for error in outputs["error"]] == [False, True, False]
                table.row(f"{protocol}: one bad row", ok, difference or "the others are untouched")
        _check_labels(table, protocol, partial(client_type, server=server, model=name), labels)
    with GrpcClient(server=grpc, model=name, label="stable", timeout=120.0) as client:
        _check_merging(table, client, local, cases, rest)
    with table.no_failure("Prometheus: requests"):
        counts = _metrics(rest, "request_count")
        table.row("Prometheus: requests", sum(counts.values()) > 0, counts)
    if logs is not None:
        records = re.findall(r"warmup records read: (\d+)", logs())
        table.row(
            "warm-up at load", any(int(number) > 0 for number in records), f"records: {records or 'not in the log'}"
        )
    return table.end()


class _Table:
    """Prints a row a check and counts those that failed."""

    def __init__(self):
        self._rows = self._failed = 0

    def row(self, name: str, ok: bool, detail: object) -> None:
        self._rows += 1
        self._failed += not ok
        print(f"{'ok' if ok else 'FAILED':8}{name:36}{detail}", flush=True)

    @contextmanager
    def no_failure(self, name: str) -> Iterator[None]:
        """Makes a failed row of any exception, so that the other checks are run all the same."""
        try:
            yield
        except Exception as error:
            self.row(name, False, f"{type(error).__name__}: {error}")

    def end(self) -> int:
        print(f"{self._rows - self._failed} of {self._rows} checks passed")
        return 1 if self._failed else 0


def _read_config(path: Path) -> tuple[str, dict[str, int]]:
    """Returns the name of the model, and the versions by label."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(path.read_text(), model_server_config_pb2.ModelServerConfig()).model_config_list.config
    if len(config) != 1 or "stable" not in config[0].version_labels:
        raise UserError(f"{str(path)!r} must have one model with the label stable")
    return config[0].name, dict(config[0].version_labels)


def _cases(local: LocalModel) -> dict[str, Inputs]:
    """Makes three good rows for every signature."""
    from PIL import Image

    from stargan_tf.data.images import to_png

    random = np.random.default_rng(0)
    height, width = local.card["image_size"]
    pixels = random.integers(0, 256, (3, height, width, 3), np.uint8)
    encoded = texts([to_png(Image.fromarray(image)) for image in pixels])
    domains = local.domains
    values = {
        "image_bytes": encoded,
        "reference_bytes": encoded[::-1],
        "domain": texts([domains[row % len(domains)] for row in range(3)]),
        "seed": np.array([0, 1, -1], np.int64),
        "psi": np.float32([0, 0.5, 1]),
        "format": texts(["png"] * 3),
        "latent": random.standard_normal((3, local.card["latent_dim"]), np.float32),
        "style": random.standard_normal((3, local.card["style_dim"]), np.float32),
        "image": pixels.astype(np.float32) / 127.5 - 1,
        "request": texts([""] * 3),
    }
    return {name: {key: values[key] for key in keys} for name, keys in SIGNATURES.items()}


def _bad_requests() -> list[tuple[str, str, Inputs]]:
    """Returns what is wrong, in which signature, and the rows that make it so: all three, for the same reason."""
    return [
        ("unknown domain", "translate_latent", {"domain": texts(["zebra"] * 3)}),
        ("no image", "encode_style", {"image_bytes": texts([b"no image at all"] * 3)}),
        ("another format", "encode_style", {"image_bytes": texts([b"GIF89a"] * 3)}),
        ("empty image", "encode_style", {"image_bytes": texts([b""] * 3)}),
        ("psi out of range", "translate_latent", {"psi": np.float32([1.5] * 3)}),
        ("unknown format", "translate_style", {"format": texts(["bmp"] * 3)}),
    ]


def _refusal(model: ServedModel, signature: str, inputs: Inputs) -> str | None:
    """Returns the sentence that a request is refused with."""
    try:
        model.predict(signature, inputs)
    except InvalidRequest as error:
        return str(error)
    return None


def _difference(given: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> str:
    """Says in what outputs differ; "" if they don't."""
    from stargan_tf.data.images import decode_image

    if given.keys() != wanted.keys():
        return f"the outputs are {sorted(given)}, not {sorted(wanted)}"
    for name, value in wanted.items():
        if given[name].shape != value.shape:
            return f"{name} has shape {given[name].shape}, not {value.shape}"
        if value.dtype != object:
            apart = np.abs(given[name] - value).max()
            if not apart <= _TOLERANCE:
                return f"{name} differs by {apart:.2g}"
        elif name == "image_bytes":
            for row, (one, other) in enumerate(zip(given[name], value, strict=True)):
                if bool(one) != bool(other):
                    return f"{name} of row {row} has {len(one)} bytes, not {len(other)}"
                if one:
                    images = [np.asarray(decode_image(encoded), np.int16) for encoded in (one, other)]
                    apart = np.abs(images[0] - images[1]).max()
                    if apart > _PIXEL_TOLERANCE:
                        return f"{name} of row {row} differs by {apart} of 255"
        elif given[name].tolist() != value.tolist():
            return f"{name} is {given[name].tolist()}, not {value.tolist()}"
    return ""


def _check_labels(table: _Table, protocol: str, connect: Callable[..., Client], labels: Mapping[str, int]) -> None:
    for label, version in labels.items():
        with table.no_failure(f"{protocol}: label {label}"), connect(label=label) as client:
            answered = client.card["version"]
            table.row(f"{protocol}: label {label}", answered == version, f"version {answered} answers")
    with table.no_failure(f"{protocol}: unknown label"), connect(label="nowhere") as client:
        sentence = _refusal(client, "domains", {"request": texts([""])})
        table.row(f"{protocol}: unknown label", sentence is not None, sentence or "was not refused")


def _check_merging(table: _Table, client: Client, local: LocalModel, cases: Mapping[str, Inputs], rest: str) -> None:
    """Sends requests of one row at once, every fourth of them bad, and looks whether each gets its own answer."""
    rows = {name: np.repeat(value, -(-_CONCURRENT // 3), axis=0) for name, value in cases["translate_latent"].items()}
    requests = [{name: value[index : index + 1].copy() for name, value in rows.items()} for index in range(_CONCURRENT)]
    for index, request in enumerate(requests):
        request["seed"][0] = index
        if index % 4 == 3:
            request["domain"] = texts(["zebra"])
    before = _runs(rest)
    with ThreadPoolExecutor(_CONCURRENT) as threads:
        answers = list(threads.map(lambda request: _answer(client, request), requests))
    after = _runs(rest)
    wrong = []
    for index, (request, answer) in enumerate(zip(requests, answers, strict=True)):
        wanted = _answer(local, request)
        if isinstance(answer, str) or isinstance(wanted, str):
            # Alone, a bad request fails as a whole; merged with good ones, it has the sentence in its row.
            said = answer if isinstance(answer, str) else answer["error"][0].decode()
            if said != wanted:
                wrong.append(f"request {index}: {said!r}, not {wanted!r}")
        elif difference := _difference(answer, wanted):
            wrong.append(f"request {index}: {difference}")
    table.row("requests at once", not wrong, "; ".join(wrong[:3]) or f"{_CONCURRENT} right answers")
    if before is None or after is None:
        table.row("requests were merged", False, "there is no counter of batching_session among the metrics")
    else:
        table.row("requests were merged", after - before < _CONCURRENT, f"{_CONCURRENT} in {after - before:g} runs")


def _answer(model: ServedModel, request: Inputs) -> Mapping[str, np.ndarray] | str:
    try:
        return model.predict("translate_latent", request)
    except Exception as error:  # shown as a wrong answer, unless it is the sentence that was to be expected
        return str(error)


def _runs(rest: str) -> float | None:
    """How often merged requests have been run so far."""
    try:
        counts = _metrics(rest, "batching_session:wrapped_run_count")
    except OSError:
        return None
    return sum(counts.values()) if counts else None


def _metrics(rest: str, name: str) -> dict[str, float]:
    """Reads the Prometheus counters of TF Serving of a name, with their labels."""
    with urllib.request.urlopen(f"http://{rest}/monitoring/prometheus/metrics", timeout=30) as response:
        text = response.read().decode()
    found = re.findall(rf"^(:tensorflow:serving:{name}(?:\{{.*\}})?) (\S+)$", text, re.MULTILINE)
    return {key: float(value) for key, value in found}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
