"""The pipeline on PostgreSQL and MariaDB: it survives a server that is started again, and tells no password."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("tfx", reason="TFX is not installed; make .venv/tfx does that")

from pipeline import configuration, run
from pipeline.components import pusher
from pipeline.configuration import STAGES
from pipeline.orchestration.metadata_store import connection_config, open_history
from pipeline.orchestration.summary import summarize
from tests.pipeline import tiny_pipeline
from tests.pipeline.database_servers import PASSWORD, Server, server

pytestmark = pytest.mark.slow
__all__ = ["server"]

UNCHANGED = dict.fromkeys(STAGES, "skipped") | {"Pusher": "ran"}  # It looks at the serving directory every time.


def write(folder: Path, of: Server, **changes) -> Path:
    """Writes the small pipeline's configuration with a server in it."""
    folder.mkdir(exist_ok=True)
    file = tiny_pipeline.write(folder)
    values = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(values | {"metadata": of.settings()} | changes))
    return file


def states(file: Path) -> dict[str, str]:
    """What each stage did in the newest run."""
    settings = configuration.load(file)
    history = open_history(connection_config(settings.metadata, Path(settings.root)), settings.name)
    return summarize(history, settings.serving_path).states()


def told_to_who_may_not(server, tmp_path, flags, monkeypatch, capfd):
    """Neither another root nor a wrong password, which stays, gets in; returns what the latter is told."""
    other = write(tmp_path / "two", server)
    assert run.main([f"--config={other}"]) == 2
    assert f"has the root {tmp_path / 'one' / 'root'}" in capfd.readouterr().err
    monkeypatch.setenv("METADATA_PASSWORD", "wrong")
    assert run.main(flags) == 2
    output = capfd.readouterr()
    assert "does not let the user pipeline into the database lineage" in output.err
    return output


def test_a_run_that_ends_at_its_first_stage(server, tmp_path, monkeypatch, capfd):
    """What is quick of the whole below: no image is good enough, so no stage but the first runs."""
    monkeypatch.setenv("METADATA_PASSWORD", PASSWORD)
    file = write(tmp_path / "one", server, example_gen={**tiny_example_gen(tmp_path / "one"), "min_side": 99})
    flags = [f"--config={file}"]
    assert run.main(flags) == 3
    assert states(file)["ExampleGen"] == "failed"

    server.stop(signal.SIGKILL)
    assert run.main(flags) == 75
    assert f"the metadata server 127.0.0.1:{server.port} cannot be reached" in capfd.readouterr().err
    server.start()
    assert states(file)["ExampleGen"] == "failed"  # as it was told

    output = told_to_who_may_not(server, tmp_path, flags, monkeypatch, capfd)
    held = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert held == [] and PASSWORD.encode() not in server.dump() and PASSWORD not in "".join(output)


def tiny_example_gen(folder: Path) -> dict:
    return tiny_pipeline.CONFIGURATION["example_gen"] | {"input": str(folder / "images")}


@pytest.mark.long
def test_a_server_may_end_and_start_again(server, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("METADATA_PASSWORD", PASSWORD)
    file = write(tmp_path / "one", server)
    flags = [f"--config={file}"]
    assert run.main(flags) == 0
    assert states(file) == dict.fromkeys(STAGES, "ran")

    server.stop(signal.SIGKILL)
    assert run.main(flags) == 75
    assert f"the metadata server 127.0.0.1:{server.port} cannot be reached" in capfd.readouterr().err

    server.start()
    assert run.main(flags) == 0
    assert states(file) == UNCHANGED

    push = pusher.run
    for comes_back, code in ((True, 0), (False, 75)):

        def restarted(arguments, comes_back=comes_back):
            server.stop(signal.SIGKILL)
            if comes_back:
                server.start()
            return push(arguments)

        monkeypatch.setattr(pusher, "run", restarted)
        assert run.main([*flags, f"--pusher.keep={4 + comes_back}"]) == code
        monkeypatch.setattr(pusher, "run", push)
        if not comes_back:
            assert f"the metadata server 127.0.0.1:{server.port} was lost" in capfd.readouterr().err
            server.start()
        assert run.main([*flags, f"--pusher.keep={4 + comes_back}"]) == 0
        assert states(file) == UNCHANGED

    output = told_to_who_may_not(server, tmp_path, flags, monkeypatch, capfd)

    secret = tmp_path / "secret"
    secret.write_text(f"{PASSWORD}\n")
    assert run.main([*flags, f"--metadata.password_file={secret}", "--pusher.keep=4"]) == 0
    secret.unlink()
    held = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert held == []
    assert PASSWORD.encode() not in server.dump()
    assert PASSWORD not in "".join([*output, *capfd.readouterr()])


@pytest.mark.long
def test_two_pipelines_use_one_server_at_once(server, tmp_path):
    files = [write(tmp_path / name, server, name=name) for name in ("left", "right")]
    environment = os.environ | {"METADATA_PASSWORD": PASSWORD}
    words = [sys.executable, "-m", "pipeline.run"]
    both = [
        subprocess.Popen([*words, f"--config={file}"], env=environment, stderr=subprocess.PIPE, text=True)
        for file in files
    ]
    ends = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
