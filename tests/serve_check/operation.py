"""What an operator relies on: health by label, rows and batches, roll-out and roll-back, the counters."""

import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stargan_tf.base.writing import whole_directory, write_text
from stargan_tf.serving import deployment
from stargan_tf.serving.client import Client
from stargan_tf.serving.served_model import LocalModel, ServedModel, texts
from tests.serve_check.answers import Inputs, difference, refusal
from tests.serve_check.table import Table

_CONCURRENT = 16
# Until a new version is loaded and warmed up.
_LOAD_SECONDS = 600
_PAUSE = 0.2


def check_health(table: Table, name: str, rest: str, labels: Mapping[str, int]) -> None:
    """Asks as Compose's health check and Kubernetes' probes ask."""
    for label, wanted in [*((label, True) for label in labels), ("nowhere", False)]:
        path = f"/v1/models/{name}/labels/{label}/metadata"
        what, expected = f"health of label {label}", "200" if wanted else "an error, since no version has the label"
        with table.no_failure(what, expected):
            code = http_code(rest, path)
            table.row(what, (code == 200) == wanted, code, expected)


def check_rows(table: Table, client: Client, local: LocalModel, inputs: Inputs, rest: str, serving: Path) -> None:
    """Sends as many rows as the model takes, which the server splits over batches, and one more."""
    limit = local.card["limits"]["max_rows"]
    match = re.search(r"max_execution_batch_size \{ value: (\d+) \}", (serving / "batching.config").read_text())
    largest = int(match[1]) if match else limit
    expected = f"the answers of this process, from at least {-(-limit // largest)} runs of {largest} rows"
    with table.no_failure(f"request of {limit} rows", expected):
        rows = {name: np.resize(value, (limit, *value.shape[1:])) for name, value in inputs.items()}
        rows["seed"] = np.arange(limit)
        before = runs(rest)
        apart = difference(client.predict("translate_latent", rows), local.predict("translate_latent", rows))
        after = runs(rest)
        counted = None if before is None or after is None else after - before
        enough = counted is None or counted >= -(-limit // largest)
        told = "as in this process" if counted is None else f"as in this process, {counted:g} runs"
        table.row(f"request of {limit} rows", apart == "" and enough, apart or told, expected)
    expected = "a refusal with a reason, and the server goes on"
    with table.no_failure(f"request of {limit + 1} rows", expected):
        rows = {name: np.resize(value, (limit + 1, *value.shape[1:])) for name, value in inputs.items()}
        said = refusal(client, "translate_latent", rows)
        goes_on = refusal(client, "translate_latent", inputs) is None
        table.row(f"request of {limit + 1} rows", bool(said) and goes_on, said or "was not refused", expected)


def check_merging(table: Table, client: Client, local: LocalModel, inputs: Inputs, rest: str) -> None:
    """Sends requests of one row at once, every fourth of them bad, and looks whether each gets its own answer."""
    rows = {name: np.repeat(value, -(-_CONCURRENT // 3), axis=0) for name, value in inputs.items()}
    requests = [{name: value[index : index + 1].copy() for name, value in rows.items()} for index in range(_CONCURRENT)]
    for index, request in enumerate(requests):
        request["seed"][0] = index
        if index % 4 == 3:
            request["domain"] = texts(["zebra"])
    before = runs(rest)
    with ThreadPoolExecutor(_CONCURRENT) as threads:
        answers = list(threads.map(lambda request: _answer(client, request), requests))
    after = runs(rest)
    wrong = []
    for index, (request, answer) in enumerate(zip(requests, answers, strict=True)):
        wanted = _answer(local, request)
        if isinstance(answer, str) or isinstance(wanted, str):
            # Alone, a bad request fails as a whole; merged with good ones, it has the sentence in its row.
            said = answer if isinstance(answer, str) else answer["error"][0].decode()
            if said != wanted:
                wrong.append(f"request {index}: {said!r}, not {wanted!r}")
        elif apart := difference(answer, wanted):
            wrong.append(f"request {index}: {apart}")
    right = "each its own answer, the bad ones a sentence"
    table.row("requests at once", not wrong, "; ".join(wrong[:3]) or f"{_CONCURRENT} right answers", right)
    if before is None or after is None:
        table.row("requests were merged", False, "no counter of batching_session", "a counter among the metrics")
    else:
        merged = 0 < after - before < _CONCURRENT  # one that does not merge counts none
        table.row("requests were merged", merged, f"{after - before:g} runs", f"some, but fewer than {_CONCURRENT}")


def check_roll_back(
    table: Table,
    directory: Path,
    labels: Mapping[str, int],
    connect: Callable[..., Client],
    answers: Callable[[], str],
    poll: float,
) -> None:
    """Gives the server another version, moves the label stable there and back, and then to where nothing is.

    Args:
        table: gets the rows.
        directory: of the model that the server reads, which is changed.
        labels: the versions by label.
        connect: makes a client of a label.
        answers: asks the version with the label stable for something; returns how the answer is wrong, or "".
        poll: seconds from one look of the server at its models.config to the next.
    """
    config, old = directory / deployment.DIRECTORY / deployment.MODELS_CONFIG, labels["stable"]
    listed = deployment.listed_versions(directory)
    new = max(int(child.name) for child in directory.iterdir() if child.name.isdigit()) + 1
    with whole_directory(directory / str(new)) as temporary:
        shutil.copytree(directory / str(old), temporary, dirs_exist_ok=True)

    def write(stable: int) -> None:
        canary = labels.get("canary", old)
        write_text(config, deployment.models_config(directory.name, sorted({*listed, new}), stable, canary))

    def is_stable(version: int) -> bool:
        with connect(label="stable") as client:
            return client.status() == {version: "AVAILABLE"}

    def state() -> str | None:
        with connect() as client:
            return client.status().get(new)

    steps: Sequence[tuple[str, int, Callable[[], bool], str]] = (
        ("roll-out: a version is listed", old, lambda: state() == "AVAILABLE", f"version {new} is loaded"),
        ("roll-out: stable moves to it", new, lambda: is_stable(new), f"version {new} answers, like the old one"),
        ("roll-back: stable moves back", old, lambda: is_stable(old), f"version {old} answers"),
    )
    for what, stable, reached, expected in steps:
        with table.no_failure(what, expected):
            start = time.monotonic()
            write(stable)
            done = _wait(reached)
            wrong = answers()
            found = wrong or (f"after {time.monotonic() - start:.0f} s" if done else f"not within {_LOAD_SECONDS} s")
            table.row(what, done and not wrong, found, expected)
    what, expected = "a label to no version is refused", f"version {old} keeps the label and answers"
    with table.no_failure(what, expected):
        write(new + 1)
        time.sleep(2 * poll)
        kept, wrong = is_stable(old), answers()
        table.row(what, kept and not wrong, wrong or (f"version {old} has it" if kept else "the label moved"), expected)


def check_counters(table: Table, rest: str) -> None:
    """Reads what Prometheus would read."""
    with table.no_failure("Prometheus: requests", "more than 0"):
        counts = metrics(rest, "request_count")
        table.row("Prometheus: requests", sum(counts.values()) > 0, counts, "more than 0")


def runs(rest: str) -> float | None:
    """How often merged requests have been run so far."""
    try:
        counts = metrics(rest, "batching_session:wrapped_run_count")
    except OSError:
        return None
    return sum(counts.values()) if counts else None


def metrics(rest: str, name: str) -> dict[str, float]:
    """Reads the Prometheus counters of TF Serving of a name, with their labels."""
    with urllib.request.urlopen(f"http://{rest}/monitoring/prometheus/metrics", timeout=30) as response:
        text = response.read().decode()
    found = re.findall(rf"^(:tensorflow:serving:{name}(?:\{{.*\}})?) (\S+)$", text, re.MULTILINE)
    return {key: float(value) for key, value in found}


def http_code(rest: str, path: str) -> int:
    """Returns the status with which a GET is answered."""
    try:
        with urllib.request.urlopen(f"http://{rest}{path}", timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def _wait(reached: Callable[[], bool]) -> bool:
    end = time.monotonic() + _LOAD_SECONDS
    while time.monotonic() < end:
        if reached():
            return True
        time.sleep(_PAUSE)
    return False


def _answer(model: ServedModel, request: Inputs) -> Mapping[str, np.ndarray] | str:
    try:
        return model.predict("translate_latent", request)
    except Exception as error:  # shown as a wrong answer, unless it is the sentence that was to be expected
        return str(error)
