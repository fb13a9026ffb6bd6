"""InfraValidator: `python -m pipeline.components.infra_validator --model DIR --output DIR`.

A good model may still be impossible to serve: a file is missing, an operation is unknown, an answer takes minutes. So
a process that has TensorFlow and nothing else loads the SavedModel and answers the warm-up requests that TF Serving
will send to it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.model_fingerprint import fingerprint
from stargan_tf.base import command_line
from stargan_tf.base.errors import ExitCode, UserError
from stargan_tf.base.process import children
from stargan_tf.base.ranges import PositiveFloat
from stargan_tf.serving.served_model import invalid_request

PROGRAM = "python -m pipeline.components.infra_validator"
DESCRIPTION = (
    "Finds out whether a model can be served. Exit code 0: it is blessed, 3: it is not (reasons.json and the output "
    "say why), 2: a mistake in the flags."
)

_BARE_PROCESS = Path(__file__).parent.parent / "bare_process.py"
# Where programs, drivers and devices are; the bare process gets no other part of the environment.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
# Importing TensorFlow takes seconds, on a busy machine a minute; that does not count against the model.
_IMPORT_SECONDS = 600
_SHOWN = 3  # number of unanswered requests that are listed one by one
_LONGEST = 300  # characters of an error of TensorFlow


@dataclass(frozen=True)
class Settings:
    """What a model must be able to do to be served.

    Args:
        time_limit: seconds in which the model must be loaded and have answered all its warm-up requests.
    """

    time_limit: PositiveFloat = 600.0


@dataclass(frozen=True, kw_only=True)
class Arguments(Settings):
    """The command line.

    Args:
        model: Model artifact, whose Format-Serving/ is examined.
        output: directory to write, new or empty: BLESSED or NOT_BLESSED, and reasons.json.
    """

    model: str
    output: str


def run(arguments: Arguments) -> int:
    """Examines a model and writes the blessing.

    Returns:
        The exit code: 0 if the model is blessed, 3 if not.

    Raises:
        UserError: no model, a limit out of range, or an output that is not empty.
    """
    model = Path(arguments.model) / artifacts.SERVING_MODEL
    if not model.is_dir():
        raise UserError(f"--model {arguments.model!r} has no directory {artifacts.SERVING_MODEL}; the Trainer makes it")
    reasons, facts = examine(model, arguments.time_limit)
    blessed = artifacts.write_blessing(arguments.output, reasons, {"fingerprint": fingerprint(model), **facts})
    for reason in reasons:
        print(f"not blessed: {reason}")
    if blessed:
        print(
            f"blessed: loaded in {facts['load_seconds']:.1f} s, answered {len(facts['requests'])} warm-up requests; "
            f"{arguments.output}"
        )
    return 0 if blessed else ExitCode.REFUSED


def examine(model: Path, time_limit: float) -> tuple[list[str], dict[str, Any]]:
    """Finds the reasons why a model cannot be served.

    Args:
        model: the SavedModel.
        time_limit: seconds to load it and to answer all its warm-up requests.

    Returns:
        Sentences, none if it can be served; and facts: `load_seconds`, and `requests` with signature, rows and seconds
        of each answer.
    """
    if reason := _incomplete(model):
        return [reason], {}
    with children.ended_with_this_process(), tempfile.TemporaryDirectory() as directory:
        try:
            requests = _write_requests(model, Path(directory) / "requests")
        except Exception as error:  # TensorFlow and protobuf raise several kinds for damaged files
            return [f"the warm-up requests cannot be read: {str(error).partition(chr(10))[0]}"], {}
        if not requests:
            return ["there are no warm-up requests"], {}
        events, end = _run_bare_process(model, Path(directory), time_limit)
    return _judge(requests, events, end, time_limit)


def _incomplete(model: Path) -> str | None:
    """Returns which part of an exported model that TensorFlow does not check is missing or damaged."""
    from stargan_tf.serving.model_card import CARD_FILE

    if not (model / "saved_model.pb").is_file():
        return "there is no saved_model.pb"
    try:
        domains = json.loads((model / CARD_FILE).read_text(encoding="utf-8"))["domains"]
        labels = (model / "assets" / "labels.txt").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return f"{Path(error.filename).relative_to(model)} cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError) as error:
        return f"{CARD_FILE} or assets/labels.txt is damaged: {error}"
    if labels != domains:
        return f"assets/labels.txt has the domains {labels}, and the model card {domains}"
    return None


def _write_requests(model: Path, path: Path) -> list[dict[str, Any]]:
    """Writes the warm-up requests for the bare process; returns signature and number of rows of each."""
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.serving import warmup

    requests = []
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in warmup.read(model):
            signature = request.model_spec.signature_name
            values = {name: value.SerializeToString() for name, value in request.inputs.items()}
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for name, value in (values | {"signature": signature.encode()}).items()
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
            rows = next(iter(request.inputs.values())).tensor_shape.dim[0].size
            requests.append({"signature": signature, "rows": rows})
    return requests


def _run_bare_process(model: Path, work: Path, time_limit: float) -> tuple[list[dict[str, Any]], str | None]:
    """Runs the bare process; returns its events and, if it did not end by itself, how it ended."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment |= {"HOME": str(work), "TF_CPP_MIN_LOG_LEVEL": "2", children.VARIABLE: os.environ[children.VARIABLE]}
    output, errors = work / "output", work / "errors"
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        try:
            process = subprocess.run(
                # -I: no modules from the working directory, PYTHON* variables or the user's packages
                [sys.executable, "-I", _BARE_PROCESS, model.resolve(), work / "requests", str(time_limit)],
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=time_limit + _IMPORT_SECONDS,
            )
            code = process.returncode
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
    events = [json.loads(line) for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]
    if code == 0:
        return events, None
    if code == -signal.SIGALRM:
        return events, f"it took longer than {time_limit:g} s"
    how = f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
    last = errors.read_text(errors="replace").strip().rpartition("\n")[2]
    return events, f"the process ended {how}" + (f": {last}" if last else "")


def _judge(
    requests: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], end: str | None, time_limit: float
) -> tuple[list[str], dict[str, Any]]:
    """Makes reasons and facts from the events of the bare process."""
    load = next((event for event in events if event["event"] == "load"), {})
    answers = [event for event in events if event["event"] == "answer"]
    names = [f"{request['signature']}, {request['rows']} rows" for request in requests]
    if "error" in load:
        return [f"it cannot be loaded: {_one_line(load['error'])}"], {}
    if not load:
        return [f"it was not loaded: {end}"], {}
    failed = [
        f"the warm-up request {name} is not answered: {_one_line(answer['error'])}"
        for name, answer in zip(names, answers, strict=False)
        if answer["error"]
    ]
    reasons = failed[:_SHOWN]
    if len(failed) > _SHOWN:
        reasons.append(f"{len(failed) - _SHOWN} more of {len(names)} warm-up requests are not answered")
    if end:
        busy = f" in the warm-up request {names[len(answers)]}" if len(answers) < len(names) else ""
        reasons.append(f"{end}{busy}; {len(answers)} of {len(names)} requests were answered")
    asked = {request["signature"] for request in requests}
    if missing := [name for name in load["signatures"] if name not in asked]:
        reasons.append(f"there is no warm-up request for {', '.join(missing)}")
    facts = {
        "time_limit": time_limit,
        "load_seconds": round(load["seconds"], 2),
        "requests": [
            {**request, "seconds": round(answer["seconds"], 3)}
            for request, answer in zip(requests, answers, strict=False)
            if "seconds" in answer
        ],
    }
    return reasons, facts


def _one_line(message: str) -> str:
    """Shortens an error of TensorFlow to the model's own sentence, or else to one line of limited length."""
    if "assertion failed: [" in message:
        return str(invalid_request(message))
    return " ".join(message.split())[:_LONGEST]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
