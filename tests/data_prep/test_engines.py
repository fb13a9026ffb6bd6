"""Engines that are not there are told in a sentence, before any work."""

import socket
import time

import pytest

from data_prep import engines
from tests.data_prep.jobs import noise, run


@pytest.fixture
def closed():
    """An address at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("localhost", 0))  # and never listens
        yield f"localhost:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    ("flags", "code", "told"),
    [
        (["--runner=PortableRunner", "--job_endpoint=CLOSED"], 75, "nothing answers at --job_endpoint CLOSED"),
        (["--runner=PortableRunner", "--job_endpoint=somewhere"], 2, "must be HOST:PORT"),
        (["--runner=FlinkRunner", "--flink_master=CLOSED"], 75, "nothing answers at --flink_master CLOSED"),
        (["--runner=SparkRunner", "--spark_master_url=spark://CLOSED"], 75, "nothing answers at --spark_master_url"),
        (["--runner=FlinkRunner", "--job_server_java_launcher=/no/java"], 2, "there is no '/no/java'"),
        (["--runner=FlinkRunner", "--flink_job_server_jar=http://CLOSED/server.jar"], 2, "cannot be fetched from"),
        (["--runner=SparkRunner", "--spark_job_server_jar=/no/server.jar"], 2, "--spark_job_server_jar names no file"),
    ],
)
def test_an_engine_that_is_not_there(flags, code, told, closed, tmp_path, monkeypatch, capsys):
    if "java" not in told:
        monkeypatch.setattr(engines.shutil, "which", lambda name: name)  # also on a machine without Java
    noise(20, 24).save(tmp_path / "image.png")
    began = time.monotonic()
    assert run(tmp_path, tmp_path / "output", "--", *(flag.replace("CLOSED", closed) for flag in flags)) == code
    assert time.monotonic() - began < 15
    said = capsys.readouterr().err
    assert told.replace("CLOSED", closed) in said and "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]


def test_an_engine_that_is_there():
    with socket.create_server(("localhost", 0)) as server:
        engines.check_engine(["--runner=PortableRunner", f"--job_endpoint=localhost:{server.getsockname()[1]}"])
    engines.check_engine(["--direct_num_workers=2"])
    engines.check_engine(["--runner=DataflowRunner", "--project=x"])
