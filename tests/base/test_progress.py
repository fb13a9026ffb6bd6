import io
import re
import sys
import time
from pathlib import Path

import pytest

from stargan_tf.base import progress
from stargan_tf.base.progress import Progress


class Terminal(io.StringIO):
    """Takes what is written, as a terminal does."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """The time that progress sees; tests move it."""
    clock = [100.0]
    monkeypatch.setattr(progress, "_now", lambda: clock[0])
    return clock


def test_without_a_terminal_there_is_a_line_now_and_then(clock, capsys):
    seconds = []
    with Progress(1000, "drawing", "frames") as shown:
        for second in range(1, 401):
            clock[0] += 1
            shown.update(2)
            if err := capsys.readouterr().err:
                assert err.count("\n") == 1
                seconds.append(second)
    assert seconds == [5, 15, 35, 75, 135, 195, 255, 315, 375]
    assert not capsys.readouterr().err


def test_short_work_prints_nothing_without_a_terminal(clock, capsys):
    for _ in progress.each(range(100), "drawing", "frames"):
        clock[0] += 0.04
    assert capsys.readouterr() == ("", "")


def test_a_line_says_what_how_many_and_how_long(clock, capsys):
    with Progress(300, "training", "steps", done=100) as shown:
        clock[0] += 20
        shown.update(1, "G 1.250")  # the first takes long and says nothing of the others
        assert capsys.readouterr().err == "training: 101 of 300 steps, 00:20 so far; G 1.250\n"
        clock[0] += 10
        shown.update(49)
        assert capsys.readouterr().err == "training: 150 of 300 steps, 00:30 so far, about 00:30 to go; G 1.250\n"
        clock[0] += 20
        shown.update(-80)  # gone back, before where it began
        assert capsys.readouterr().err == "training: 70 of 300 steps, 00:50 so far; G 1.250\n"


def test_a_terminal_has_a_bar_and_no_lines(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(10, "drawing", "frames") as shown:
        for _ in range(10):
            clock[0] += 60
            shown.update()
    assert "so far" not in terminal.getvalue()
    assert re.search(r"drawing: 100%.*10/10 ", terminal.getvalue())


def test_what_does_not_say_how_far_it_is_says_how_long_it_takes(clock, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.01)
    with progress.waiting("encoding"):
        time.sleep(0.2)
        assert capsys.readouterr().err == ""
        clock[0] += 65
        time.sleep(0.2)
    assert capsys.readouterr().err == "encoding: 01:05 so far\n"


def test_a_terminal_sees_how_long_it_takes(monkeypatch):
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.waiting("encoding"):
        time.sleep(0.2)
    assert "encoding: 00:00" in sys.stderr.getvalue() and "so far" not in sys.stderr.getvalue()


def test_items_come_one_by_one_in_order(capsys):
    assert list(progress.each({"a": 1, "b": 2}.items(), "verifying", "files")) == [("a", 1), ("b", 2)]


def test_all_progress_is_shown_by_this_helper():
    folders = [
        Path(__file__).parents[2] / name for name in ("stargan_tf", "data_prep", "pipeline", "benchmarks", "tests")
    ]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    using = [file for file in files if re.search(r"^\s*(from|import) tqdm", file.read_text(), re.MULTILINE)]
    assert using == [Path(progress.__file__)]
