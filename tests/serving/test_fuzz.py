"""A thousand malformed requests against a test double of TF Serving in a process of its own, with good ones between."""

import re
from pathlib import Path

import pytest

from tests.serving.fuzz import GOOD_EVERY, asking_by_grpc, problem
from tests.serving.fuzzer import FAILED_PRECONDITION, INVALID, NOT_FOUND, OK, Fuzzer, make_request
from tests.serving.good_requests import DOMAINS, SIGNATURES, inputs_of
from tests.serving_double import server as double

REQUESTS = 1000
# More than the process had after its warm-up; images of the sizes that are announced would take far more.
MEMORY_MB = 1024


def memory_mb(pid: int) -> int:
    """The most memory that a process ever had, as Linux counts it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def same(given, expected) -> bool:
    return given.keys() == expected.keys() and all(given[name].tolist() == expected[name].tolist() for name in given)


def test_a_thousand_malformed_requests(exported_model, images_path):
    sources = [(images_path / "val" / domain / "00000.png").read_bytes() for domain in DOMAINS]
    with (
        double.process(exported_model, "--warm_up") as (process, server, _),
        asking_by_grpc(server) as ask,
    ):
        good = [make_request(name, inputs_of(name, 2, sources)) for name in SIGNATURES]
        before = [ask(request)[2] for request in good]
        assert all(before)
        memory = memory_mb(process.pid)

        wrong, codes = [], set()
        for index, case in enumerate(Fuzzer(sources, seed=0).cases(REQUESTS)):
            answer = ask(case.request)
            codes.add(answer[0])
            if process.poll() is not None:
                pytest.fail(f"request {index} ({case.kind}) ended the server with {process.returncode}")
            if (what := problem(case, answer)) is not None:
                wrong.append(f"request {index} ({case.kind}): {what}")
            if index % GOOD_EVERY == 0:
                which = index // GOOD_EVERY % len(good)
                assert same(ask(good[which])[2], before[which]), f"after request {index} ({case.kind})"
        assert not wrong, "\n".join(wrong)
        assert codes == {OK, INVALID, NOT_FOUND, FAILED_PRECONDITION}
        assert memory_mb(process.pid) < memory + MEMORY_MB
