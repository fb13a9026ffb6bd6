"""Runners repeat steps, also while the first try still runs: what is written stays the same."""

import functools
import threading

import apache_beam as beam
import pytest

from data_prep import steps
from stargan_tf.base import files
from tests.data_prep.jobs import noise, read_all, run


def again(step, beside):
    """Makes a step that runs twice, one after the other or both at once, and gives what the second gave."""

    @functools.wraps(step)
    def run_twice(element, *args):
        element, outputs = readable(element), []
        threads = [threading.Thread(target=lambda: outputs.append(whole(step(element, *args)))) for _ in range(2)]
        for thread in threads:
            thread.start()
            if not beside:
                thread.join()
        for thread in threads:
            thread.join()
        assert len(outputs) == 2  # none failed
        return outputs[-1]

    return run_twice


def retried(step):
    """Makes a step that runs again when it dies."""

    @functools.wraps(step)
    def run_until_done(element, *args):
        element = readable(element)
        try:
            return whole(step(element, *args))
        except ConnectionAbortedError:
            return whole(step(element, *args))

    return run_until_done


def readable(element):
    """A group can be read once."""
    return (element[0], list(element[1])) if isinstance(element, tuple) and not isinstance(element[1], str) else element


def whole(output):
    return output if output is None or isinstance(output, tuple) else list(output)


@pytest.fixture
def source(tmp_path):
    """Images of two domains, with a bad one, a duplicate, and two that look alike in training and validation."""
    for number, domain in enumerate(("cat", "dog")):
        for subset, count in (("train", 9), ("val", 3)):
            folder = tmp_path / "source" / subset / domain
            folder.mkdir(parents=True)
            for index in range(count):
                noise(20, 24, 100 * number + 10 * count + index).save(folder / f"{index}.png")
    train = tmp_path / "source" / "train"
    (train / "cat" / "bad.png").write_text("I am no image.")
    (train / "dog" / "same.png").write_bytes((train / "dog" / "3.png").read_bytes())
    darker = noise(20, 24, 30).point(lambda value: value * 250 // 255)
    darker.save(train / "cat" / "alike.png")
    return tmp_path / "source"


FLAGS = ("--examples_per_shard", "4", "--conflicts", "drop")
STEPS = {"find_lists", "inspect", "decide", "assign", "write", "compare"}


def replace_steps(monkeypatch, replace):
    """Has the pipeline made of other steps; returns the set of their names, which fills when it is made."""
    made = set()
    for name, original in (("FlatMap", beam.FlatMap), ("Map", beam.Map)):

        def apply(step, *args, original=original):
            if step.__name__ == "<lambda>":
                return original(step, *args)
            made.add(step.__name__)
            return original(replace(step), *args)

        monkeypatch.setattr(steps.beam, name, apply)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("beside", [False, True], ids=["one after the other", "both at once"])
def test_every_step_may_run_twice(beside, source, tmp_path, monkeypatch):
    assert run(source, tmp_path / "once", *FLAGS) == 0
    made = replace_steps(monkeypatch, lambda step: again(step, beside))
    assert run(source, tmp_path / "twice", *FLAGS) == 0
    assert made == STEPS
    once = read_all(tmp_path / "once")
    assert read_all(tmp_path / "twice") == once
    assert all(once[f"{name}.jsonl"] for name in ("rejected", "duplicates", "near_duplicates"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


died: list[str] = []


@pytest.mark.slow
def test_a_step_that_dies_in_the_middle_of_a_file(source, tmp_path, monkeypatch):
    write = files.write

    def write_half_at_first(path, data):
        if "outcome-" in path and path not in died:
            died.append(path)
            with files.create(path) as file:
                file.write(data[: len(data) // 2])
                raise ConnectionAbortedError
        write(path, data)

    assert run(source, tmp_path / "once", *FLAGS) == 0
    replace_steps(monkeypatch, retried)
    monkeypatch.setattr(steps.files, "write", write_half_at_first)
    assert run(source, tmp_path / "died", *FLAGS) == 0
    assert {files.name_of(path).split("-")[1] for path in died} >= {"content", "shard", "band"}
    assert read_all(tmp_path / "died") == read_all(tmp_path / "once")
