import subprocess
import sys
import time

import pytest

from data_prep import progress
from stargan_tf.base import progress as shown
from tests.data_prep.jobs import noise, run


def test_a_short_job_prints_no_lines_of_progress(tmp_path, capsys):
    for number, domain in enumerate(("cat", "dog")):
        (tmp_path / "photos" / domain).mkdir(parents=True)
        for index in range(4):
            noise(16, 24, 4 * number + index).save(tmp_path / "photos" / domain / f"{index}.png")
    assert run(tmp_path / "photos", tmp_path / "data") == 0
    assert capsys.readouterr().err == ""


def test_a_long_job_prints_a_line_now_and_then(tmp_path, capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(shown, "_now", lambda: clock[0])
    monkeypatch.setattr(progress, "_SECONDS", 0.05)
    with progress.show(10, str(tmp_path)):
        for _ in range(7):
            progress.did_one(str(tmp_path))
            time.sleep(0.06)
        clock[0] = 8
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("preparing: 7 of 20 steps, 00:08 so far")


@pytest.mark.slow
def test_other_processes_are_counted(tmp_path, monkeypatch):
    """As the workers of an engine are."""
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    progress.did_one(str(tmp_path))
    code = """if True:
        import sys
        from data_prep import progress
        progress._SECONDS = 0.0
        for _ in range(3):
            progress.did_one(sys.argv[1])
    """
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert progress.count(str(tmp_path)) == 7


def test_a_place_that_cannot_be_written_stops_no_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS", 0.0)
    (tmp_path / "work").write_text("no folder")
    progress.did_one(str(tmp_path))
