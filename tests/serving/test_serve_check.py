"""`make serve-check` against the double of TF Serving: all of it but Docker, the server's log and the image."""

import shutil

import pytest

from tests.serve_check import command
from tests.serving_double.server import Double

pytestmark = pytest.mark.slow

POLL = 0.3


@pytest.fixture
def model(exported_model, tmp_path):
    """A copy, whose labels may be moved."""
    return shutil.copytree(exported_model, tmp_path / exported_model.name)


@pytest.mark.long
def test_all_of_it_passes_and_tells_what_was_expected(model, capsys):
    with Double(
        model, batching=True, allowed_batch_sizes=(1, 2), max_batch_size=8, window=0.05, labels=(), poll=POLL
    ) as double:
        table = command.check(model, double.grpc_server, double.rest_server, poll=POLL)
    printed = capsys.readouterr().out
    assert table.failed == [], printed
    assert set(table.passed) >= {
        "health of label stable",
        "health of label nowhere",
        "request of 8 rows",
        "request of 9 rows",
        "requests were merged",
        "roll-out: a version is listed",
        "roll-out: stable moves to it",
        "roll-back: stable moves back",
        "a label to no version is refused",
    }
    rows = [line for line in printed.splitlines() if line.startswith(("ok", "FAILED"))]
    assert len(rows) == len(table.passed) and all("; expected: " in row for row in rows)
    assert "not run warm-up at load" in printed


def test_a_server_that_is_not_as_it_should_be_fails(model, capsys):
    # No merging, no splitting, no label.
    with Double(model, labels=()) as double:
        table = command.check(model, double.grpc_server, double.rest_server)
    assert {"health of label stable", "requests were merged", "gRPC: label stable"} <= set(table.failed)
    assert "not run roll-out and roll-back" in capsys.readouterr().out
    assert table.end() == 1
