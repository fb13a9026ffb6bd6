"""A run on a store: at every moment what is there is a whole run, and this folder is not needed to go on."""

import errno
import json
import re
import tempfile
from pathlib import Path

import pytest

from stargan_tf.base import files, stand_ins, stores
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.config import Config
from stargan_tf.runs import remote_run
from stargan_tf.training.summaries import settings
from tests.stores import new_store


class Killed(BaseException):
    """What a kill is for the code that meets it."""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """An empty directory for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def address(store):
    return f"{store}/runs/{Path(tempfile.gettempdir()).parent.name}"


def save(run: Path, step: int, keep: int = 2) -> None:
    """Writes what training writes at a checkpoint: names and order matter here, not what is in it."""
    folder = run / "checkpoints"
    folder.mkdir(exist_ok=True)
    (run / "config.yaml").write_text("config")
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step}) + "\n")
    (folder / f"step-{step}.data-00000-of-00001").write_text(f"data {step}")
    (folder / f"step-{step}.index").write_text(f"index {step}")
    prune(run, step, keep)


def prune(run: Path, step: int, keep: int = 2) -> None:
    """Does what follows after saving, and what training that goes on does first."""
    (run / "checkpoints" / "checkpoint").write_text(str(step))
    for path in run.glob("checkpoints/step-*"):
        if int(path.name.partition(".")[0].removeprefix("step-")) <= step - keep:
            path.unlink()


def evaluate(run: Path, step: int) -> None:
    """Writes what an evaluation during training writes: the step is the best one, then the line that says so."""
    folder = run / "checkpoints"
    for path in folder.glob("best-*"):
        path.unlink()
    (folder / f"best-{step}.data-00000-of-00001").write_text(f"data {step}")
    (folder / f"best-{step}.index").write_text(f"index {step}")
    (folder / "best.json").write_text(json.dumps({"step": step, "checkpoint": f"best-{step}"}))
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "evaluation": 1}) + "\n")


def train(address: str, steps: int) -> None:
    """Goes on with a run up to a step, as training does: what was measured later is cut, evaluations are finished."""
    with remote_run.opened(address) as run:
        step, metrics = newest(run), run / "metrics.jsonl"
        lines = [line for line in lines_of(run) if line["step"] <= step]
        if step:
            prune(run, step)
            remote_run.push(run)
        metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
        while True:
            if step and step % 2 == 0 and not any("evaluation" in line for line in lines if line["step"] == step):
                evaluate(run, step)
                remote_run.push(run)
            if step >= steps:
                break
            step += 1
            save(run, step)
            remote_run.push(run)


def lines_of(run: Path) -> list[dict]:
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def newest(run: Path) -> int:
    steps = [int(path.stem.removeprefix("step-")) for path in run.glob("checkpoints/step-*.index")]
    return max(steps, default=0)


def check_whole(run: Path) -> None:
    """Checks what makes a run one that goes on as if nothing had been."""
    checkpoints = run / "checkpoints"
    step = newest(run)
    lines = lines_of(run)
    if step:
        assert (checkpoints / f"step-{step}.index").read_text() == f"index {step}"
        assert (checkpoints / f"step-{step}.data-00000-of-00001").read_text() == f"data {step}"
        assert {line["step"] for line in lines} >= set(range(1, step + 1))
    evaluated = [line["step"] for line in lines if "evaluation" in line]
    if (checkpoints / "best.json").exists():
        best = json.loads((checkpoints / "best.json").read_text())
        assert (checkpoints / f"{best['checkpoint']}.index").read_text() == f"index {best['step']}"
        assert (checkpoints / f"{best['checkpoint']}.data-00000-of-00001").read_text() == f"data {best['step']}"
        assert best["step"] >= max(evaluated, default=0)
    else:
        assert not evaluated


def content(address: str) -> dict[str, bytes]:
    return {name: files.read(f"{address}/{name}") for name in files.find(address)}


def test_what_is_here_is_there_and_what_is_pruned_goes(address, temporary):
    train(address, 5)
    names = files.find(address)
    steps = {name.partition(".")[0] for name in names if name.startswith("checkpoints/step-")}
    assert steps == {"checkpoints/step-4", "checkpoints/step-5"}
    assert {name for name in names if "best" in name} == {
        "checkpoints/best.json",
        "checkpoints/best-4.index",
        "checkpoints/best-4.data-00000-of-00001",
    }
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_a_kill_between_any_two_files_loses_nothing(monkeypatch, request):
    """Of each of the operations that change the store, and of every one the moment before and after it."""
    undisturbed = f"{new_store('memory', request)}/run"
    train(undisturbed, 5)
    left = 0

    def until_killed(operation):
        def wrapped(*arguments):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            operation(*arguments)

        return wrapped

    kills = 0
    while True:
        address = f"{new_store('memory', request)}/run"
        left, done = kills, False
        with monkeypatch.context() as patch:
            for name in ("deliver", "delete", "write"):
                patch.setattr(files, name, until_killed(getattr(files, name)))
            try:
                train(address, 5)
                done = True
            except Killed:
                kills += 1
        if done:
            break
        for choice in ("latest", "best"):
            read = remote_run.bring(address, choice)
            if (read / "checkpoints").exists():
                assert len(list((read / "checkpoints").glob("*.index"))) <= 1
            for index in read.glob("checkpoints/*.index"):
                assert (index.parent / f"{index.stem}.data-00000-of-00001").exists()
        with remote_run.opened(address) as run:
            check_whole(run)
        train(address, 5)
        assert content(address) == content(undisturbed)
    assert kills > 40


def test_readers_take_one_checkpoint_and_no_logs(address):
    with remote_run.opened(address) as run:
        save(run, 1)
        save(run, 2)
        evaluate(run, 1)
        for name in ("logs/events", "samples/a.png", "evaluation/work/x.json", "evaluation/step_2/y.json"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text(name)
        remote_run.push(run)

    def read(choice) -> set[str]:
        run = remote_run.bring(address, choice)
        return {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}

    always = {"config.yaml", "metrics.jsonl", "evaluation/step_2/y.json"}
    of = {
        name: {f"checkpoints/{name}.index", f"checkpoints/{name}.data-00000-of-00001"} for name in ("step-2", "best-1")
    }
    assert read(None) == always
    assert read("latest") == always | of["step-2"]
    assert read("best") == always | of["best-1"] | {"checkpoints/best.json"}
    train(address, 3)
    assert newest(remote_run.bring(address)) == 3  # the same process reads it anew


@pytest.mark.slow
def test_a_checkpoint_that_is_pruned_while_it_is_read_is_none(address, monkeypatch):
    with remote_run.opened(address) as run:
        save(run, 1)
        remote_run.push(run)
    fetch, raced = files.fetch, []

    def fetch_late(path: str, local: Path) -> None:
        if "step-1.index" in path and not raced:
            raced.append(path)
            train(address, 4)
        fetch(path, local)

    monkeypatch.setattr(files, "fetch", fetch_late)
    run = remote_run.bring(address)
    assert raced and newest(run) == 4
    assert (run / "checkpoints" / "step-4.data-00000-of-00001").read_text() == "data 4"
    assert not list(run.glob("checkpoints/step-1.*"))


def test_what_readers_write_goes_back(address):
    train(address, 1)
    run = remote_run.bring(address)
    (run / "known_factors.json").write_text("{}")
    (run / "logs").mkdir()
    (run / "logs" / "of_evaluation").write_text("x")
    before = content(address)
    remote_run.push(run, trains=False)
    assert content(address) == before | {"known_factors.json": b"{}", "logs/of_evaluation": b"x"}


def test_what_readers_cannot_give_back_is_kept(address, temporary, monkeypatch):
    train(address, 1)
    run = remote_run.bring(address)
    (run / "known_factors.json").write_text("{}")

    def forbidden(local: Path, path: str) -> None:
        raise PermissionError(errno.EACCES, "Access Denied", path)

    monkeypatch.setattr(files, "deliver", forbidden)
    with pytest.raises(UserError, match="cannot be written: Access Denied; what was measured is in ") as told:
        remote_run.push(run, trains=False)
    (kept,) = temporary.glob("kept-*")
    assert str(kept) in stand_ins.told(told.value) and (kept / "known_factors.json").exists()
    assert not run.exists()


def test_the_one_that_began_last_trains(address, temporary):
    refused = pytest.raises(UserError, match=f"has begun to train {address}, too")
    with remote_run.opened(address) as last, refused, remote_run.opened(address) as first:
        save(first, 1)
        remote_run.push(first)
        save(last, 7)
        remote_run.push(last)
        save(first, 2)
        remote_run.push(first)
    names = files.find(address)
    assert "checkpoints/step-7.index" in names and "checkpoints/step-2.index" not in names
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_store_that_is_gone_leaves_the_run_here(at_the_end, address, temporary, monkeypatch):
    monkeypatch.setattr(stores, "WAITS", ())

    def out_of_reach(local: Path, path: str) -> None:
        raise TryAgainError(f"{path} cannot be reached: nobody answers")

    gone = pytest.raises(TryAgainError, match="nobody answers; the run is in ")
    with gone as told, remote_run.opened(address) as run:
        save(run, 1)
        remote_run.push(run)
        save(run, 2)
        monkeypatch.setattr(files, "deliver", out_of_reach)
        if not at_the_end:
            remote_run.push(run)
    (kept,) = temporary.iterdir()
    assert str(kept) in stand_ins.told(told.value)
    check_whole(kept)
    assert newest(kept) == 2
    monkeypatch.undo()
    assert "checkpoints/step-1.index" in files.find(address) and "checkpoints/step-2.index" not in files.find(address)


def test_what_failed_is_told_and_what_it_left_goes_up(address, temporary):
    with pytest.raises(ZeroDivisionError), remote_run.opened(address) as run:
        save(run, 1)
        remote_run.push(run)
        (run / "events.jsonl").write_text("failed")
        raise ZeroDivisionError
    assert files.read(f"{address}/events.jsonl") == b"failed"
    assert not list(temporary.iterdir())


def test_other_workers_read_what_the_chief_wrote_and_write_nothing(address, temporary):
    with remote_run.opened(address) as chief, remote_run.opened(address) as worker:
        save(chief, 1)
        remote_run.push(chief)
        remote_run.pull(worker)
        assert newest(worker) == 1
        for step in (2, 3):
            save(chief, step)
            remote_run.push(chief)
        remote_run.pull(worker)
        check_whole(worker)
        assert {path.name for path in worker.rglob("*.index")} == {"step-2.index", "step-3.index"}
        (worker / "mine").write_text("x")
    assert "mine" not in files.find(address)
    assert not list(temporary.iterdir())


def test_tensorboard_knows_a_run_by_the_place_that_the_user_knows(address):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    trials = []
    for _ in range(2):  # the folder is another one each time
        with remote_run.opened(address) as run:
            (run / "config.yaml").write_text("a: 1\n")
            settings.write(Config(), run)
            (file,) = (run / "logs").iterdir()
            events = b"".join(event.SerializeToString() for event in EventFileLoader(str(file)).Load())
            trials.append(re.findall(rb"test_tensorboard\w* [0-9a-f]{4}", events))
            assert str(run).encode() not in events
    assert trials[0] == trials[1] != []


def test_something_else_is_no_run(address):
    files.write(f"{address}/picture.png", b"x")
    refused = pytest.raises(UserError, match="exists and is not a run directory; choose another for --run")
    with refused, remote_run.opened(address):
        pass
    assert content(address) == {"picture.png": b"x"}
    assert not list(remote_run.bring(address).iterdir())


def test_the_hub_is_for_reading():
    refused = pytest.raises(UserError, match="runs are read only; copy it to a disk or store")
    with refused, remote_run.opened("hf://somebody/run"):
        pass


def test_what_a_killed_process_left_is_removed(address, temporary):
    train(address, 1)
    left = temporary / ".stargan_tf-run-0123.partial-4567"
    with remote_run.opened(address) as run:
        name = run.name
    left = temporary / (name.rpartition("-")[0] + "-00000000")
    left.mkdir()
    (temporary / f"{left.name}.lock").touch()
    train(address, 2)
    assert not list(temporary.iterdir())
