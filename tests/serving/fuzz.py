"""Sends malformed requests to a test double of TF Serving in a process of its own, with good ones between.

The suite sends a thousand by gRPC, one after the other (test_fuzz.py). By hand also by REST, and eight at a time to a
double that merges them:

    python -m tests.serving.fuzz --model MODELS/stargan --images DIR [--protocol rest] [--batching true] [--seed 1]

where the model is exported from the small run of `tests/fixtures.py`, with its limits.
"""

import contextlib
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import grpc
import numpy as np
import requests
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from stargan_tf.base import command_line, progress
from stargan_tf.base.errors import UserError
from stargan_tf.data.images import decode_image
from stargan_tf.serving import rest_client
from stargan_tf.serving.served_model import invalid_request
from tests.serving.fuzzer import FAILED_PRECONDITION, INVALID, NOT_FOUND, OK, Case, Fuzzer, make_request
from tests.serving.good_requests import DOMAINS, SIGNATURES, inputs_of
from tests.serving_double import server
from tests.serving_double.refusals import Refused
from tests.serving_double.tensors import parse_tensor

GOOD_EVERY = 25
# A request that takes longer hangs.
PATIENCE = 20.0
AT_ONCE = 8

# The outputs of a good answer, and of every answer the code and the message.
Outputs = Mapping[str, np.ndarray]
Answer = tuple[grpc.StatusCode, str, Outputs]
Ask = Callable[[predict_pb2.PredictRequest], Answer]


@contextlib.contextmanager
def asking_by_grpc(server: str) -> Iterator[Ask]:
    """Yields what sends a request by gRPC."""
    with grpc.insecure_channel(server, [("grpc.max_metadata_size", 2**16)]) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def ask(request: predict_pb2.PredictRequest) -> Answer:
            try:
                response = stub.Predict(request, timeout=PATIENCE)
            except grpc.RpcError as error:
                return error.code(), error.details(), {}
            return OK, "", {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

        yield ask


@contextlib.contextmanager
def asking_by_rest(server: str) -> Iterator[Ask]:
    """Yields what sends a request by REST; one that JSON cannot carry becomes a body that is cut off."""
    chance = random.Random(0)
    codes = {200: OK, 400: INVALID, 404: NOT_FOUND}

    def ask(request: predict_pb2.PredictRequest) -> Answer:
        spec = request.model_spec
        which = f"/labels/{quote(spec.version_label, safe='')}" if spec.version_label else ""
        if spec.HasField("version"):
            which = f"/versions/{spec.version.value}"
        body = _body(request)
        if body is None:
            body = bytearray(_body(make_request("map_latent", inputs_of("map_latent", 2, [b""]))))
            for _ in range(chance.randint(1, 5)):
                body[chance.randrange(len(body))] = chance.randrange(256)
            body = bytes(body[: chance.randrange(len(body))])
        address = f"http://{server}/v1/models/{quote(spec.name or 'stargan', safe='')}{which}:predict"
        answer = requests.post(address, body, timeout=PATIENCE)
        if answer.status_code != 200:
            return codes[answer.status_code], answer.json()["error"], {}
        return OK, "", {name: rest_client.from_json(column) for name, column in answer.json()["outputs"].items()}

    yield ask


def _body(request: predict_pb2.PredictRequest) -> bytes | None:
    """The JSON of a request; None if JSON cannot say it."""
    inputs = {}
    for name, proto in request.inputs.items():
        try:
            value = parse_tensor(name, proto, proto.dtype)
        except (Refused, TypeError, ValueError):
            return None
        if value.dtype.kind not in "Ofi" or (value.dtype.kind == "f" and not np.isfinite(value).all()):
            return None
        inputs[name] = rest_client.to_json(name, value)
    if request.output_filter or not request.inputs:
        return None
    return json.dumps({"signature_name": request.model_spec.signature_name, "inputs": inputs}).encode()


def differs(given: Outputs, expected: Outputs) -> bool:
    """Whether an answer differs by more than rounding, which depends on the rows that requests were merged to."""
    if given.keys() != expected.keys():
        return True
    for name, values in expected.items():
        if name == "image_bytes":
            pixels = [[np.asarray(decode_image(image), int) for image in images] for images in (given[name], values)]
            if not np.allclose(*pixels, atol=3):
                return True
        elif values.dtype == object:
            if given[name].tolist() != values.tolist():
                return True
        elif not np.allclose(given[name], values, atol=1e-4):
            return True
    return False


def problem(case: Case, answer: Answer) -> str | None:
    """What is wrong with the answer to a malformed request that was sent alone by gRPC."""
    code, details, outputs = answer
    if code not in case.codes or (code != OK and not re.search(case.sentence, str(invalid_request(details)))):
        return f"{code.name} {details[:200]!r}"
    if code == OK:
        case.check(outputs)
    return None


def leniently(case: Case, answer: Answer) -> str | None:
    """The same where the way changes what is right.

    A row that was merged with good ones has its own error. What cannot be merged is refused with all that was to be.
    JSON knows fewer types, so that some requests arrive well, and it is refused by the server in its own words.
    """
    code, details, outputs = answer
    if code == OK:
        bad_rows = not case.sentence or all(outputs.get("error", [True])) or case.codes == (OK,)
        return None if bad_rows or case.kind in ("some_wrong_dtype", "some_extra_input") else "OK without an error"
    return None if code in (INVALID, NOT_FOUND, FAILED_PRECONDITION) and details else f"{code.name} {details[:200]!r}"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        model: directory of the exported model.
        images: directory of the generated images, whose validation images are the good sources.
        protocol: grpc or rest.
        batching: whether the double merges requests, and gets eight at a time.
        requests: how many malformed requests are sent.
        seed: of the requests.
    """

    model: str
    images: str
    protocol: Literal["grpc", "rest"] = "grpc"
    batching: bool = False
    requests: int = 1000
    seed: int = 0


def run(arguments: Arguments) -> None:
    """Sends the requests, and prints the codes that came back.

    Raises:
        UserError: a crash, a wrong code, or a good request that was answered otherwise than before.
    """
    sources = [(Path(arguments.images) / "val" / domain / "00000.png").read_bytes() for domain in DOMAINS]
    flags = ["--warm_up", *(["--batching"] if arguments.batching else [])]
    with contextlib.ExitStack() as stack:
        process, by_grpc, by_rest = stack.enter_context(server.process(Path(arguments.model), *flags))
        if arguments.protocol == "grpc":
            ask = stack.enter_context(asking_by_grpc(by_grpc))
        else:
            ask = stack.enter_context(asking_by_rest(by_rest))
        good = [make_request(name, inputs_of(name, 2, sources)) for name in SIGNATURES]
        before = [ask(request)[2] for request in good]
        judge = problem if arguments.protocol == "grpc" and not arguments.batching else leniently

        def outcome(task: tuple[int, Case]) -> tuple[str, str | None, bool]:
            """The code of a malformed request, what is wrong with it, and whether a good one failed beside it."""
            index, case = task
            answer = ask(case.request)
            wrong, failed = judge(case, answer), False
            if index % GOOD_EVERY == 0 or arguments.batching:
                which = index % len(good)
                code, details, outputs = ask(good[which])
                failed = code == FAILED_PRECONDITION or (code == INVALID and "different shapes" in details)
                if not failed and (code != OK or differs(outputs, before[which])):
                    wrong = f"a good request after it: {code.name} {details[:200]!r}"
            if process.poll() is not None:
                wrong = f"the server ended with {process.returncode}"
            return answer[0].name, wrong and f"request {index} ({case.kind}): {wrong}", failed

        tasks = list(enumerate(Fuzzer(sources, arguments.seed).cases(arguments.requests)))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE if arguments.batching else 1))
        pending = [pool.submit(outcome, task) for task in tasks]
        outcomes = [future.result() for future in progress.each(pending, "asking", "requests")]
    print(dict(Counter(code for code, _, _ in outcomes)))
    print(f"good requests refused beside others of another shape: {sum(failed for _, _, failed in outcomes)}")
    wrong = [sentence for _, sentence, _ in outcomes if sentence]
    if wrong:
        raise UserError(f"{len(wrong)} were answered wrongly:\n" + "\n".join(wrong[:20]))


if __name__ == "__main__":
    sys.exit(command_line.main(Arguments, run, "python -m tests.serving.fuzz", __doc__.partition("\n")[0]))
