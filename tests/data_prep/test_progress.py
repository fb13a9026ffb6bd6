import time

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
    with progress.show(10, str(tmp_path), 100, here=True):
        for _ in range(7):
            progress.inspected()
        time.sleep(0.5)  # the thread looks five times a second
        clock[0] = 8
        time.sleep(0.5)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("preparing: 7 of 20 steps, 00:08 so far")
