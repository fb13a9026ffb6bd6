"""The same bytes, whoever runs the job: one process, two, or a job server whose workers are processes of their own."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data_prep.jobs import read_all, run, write_images

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Images of two domains, with a bad one and a duplicate, for several shards."""
    return write_images(tmp_path_factory.mktemp("runners") / "source", 12)


FLAGS = ("--examples_per_shard", "4", "--val_fraction", "0.3")


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """What one process writes."""
    output = tmp_path_factory.mktemp("runners") / "output"
    assert run(source, output, *FLAGS) == 0
    return read_all(output)


def test_two_processes(source, expected, tmp_path):
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    assert run(source, tmp_path / "output", *FLAGS, "--", *flags) == 0
    assert read_all(tmp_path / "output") == expected


@pytest.fixture
def job_server(tmp_path):
    """The address of Beam's own job server."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    try:
        while True:
            assert server.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as client:
                if client.connect_ex(("localhost", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"localhost:{port}"
    finally:
        server.terminate()
        server.wait()


def test_a_job_server_with_workers_in_processes_of_their_own(source, expected, job_server, tmp_path):
    flags = (
        "--runner=PortableRunner",
        f"--job_endpoint={job_server}",
        "--environment_type=beam:env:harness_subprocess_python:v1",
        f"--environment_config={sys.executable} -m apache_beam.runners.worker.sdk_worker_main",
    )
    assert run(source, tmp_path / "output", *FLAGS, "--", *flags) == 0
    assert read_all(tmp_path / "output") == expected
