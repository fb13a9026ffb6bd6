import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.components import pusher
from pipeline.model_fingerprint import fingerprint
from stargan_tf.base.errors import UserError

ROOT = Path(__file__).parents[3]


def make_model(path, number):
    """Files as of a SavedModel; what is in them is nothing to the pusher."""
    serving = path / "Format-Serving"
    for name in ("variables/variables.index", "variables/variables.data-00000-of-00001", "assets/labels.txt"):
        (serving / name).parent.mkdir(parents=True, exist_ok=True)
        (serving / name).write_text(f"{name} {number}\n" * 1000)
    (serving / "saved_model.pb").write_text(f"graph {number}")
    for name, rows in (
        ("model_blessing", None),
        ("infra_blessing", [{"signature": "a", "rows": rows} for rows in (1, 4)]),
    ):
        facts = {"fingerprint": fingerprint(serving)} | ({"requests": rows} if rows else {})
        artifacts.write_blessing(path / name, [], facts)
    return path


@pytest.fixture
def models(tmp_path):
    """Blessed models by number."""
    return {number: make_model(tmp_path / f"model_{number}", number) for number in (1, 2, 3, 4)}


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "models" / "stargan"


def flags(serving, model):
    return [
        f"--serving={serving}",
        f"--model={model}",
        f"--model_blessing={model / 'model_blessing'}",
        f"--infra_blessing={model / 'infra_blessing'}",
    ]


def versions(serving):
    """The first word of the graph of every version, by number."""
    return {int(path.name): (path / "saved_model.pb").read_text() for path in serving.iterdir() if path.name.isdigit()}


def test_a_blessed_model_becomes_the_next_version_once(models, serving, tmp_path, capsys):
    assert pusher.main([*flags(serving, models[1]), f"--output={tmp_path / 'pushed'}"]) == 0
    assert versions(serving) == {1: "graph 1"}
    pushed = json.loads((tmp_path / "pushed" / "pushed.json").read_text())
    assert pushed["pushed"] and pushed["version"] == 1 and pushed["path"] == str(serving / "1")
    assert pushed["fingerprint"] == fingerprint(models[1] / "Format-Serving")
    # What a team needs to serve it, with the batch sizes of the warm-up requests.
    assert "allowed_batch_sizes: 4" in (serving / "serving" / "batching.config").read_text()

    assert pusher.main(flags(serving, models[1])) == 0
    assert "published before" in capsys.readouterr().out
    assert pusher.main(flags(serving, models[2])) == 0
    assert versions(serving) == {1: "graph 1", 2: "graph 2"}
    assert "versions: 2" in (serving / "serving" / "models.config").read_text()


def test_old_versions_are_removed_but_for_those_that_are_served(models, serving, capsys):
    for number in (1, 2, 3, 4):
        assert pusher.main([*flags(serving, models[number]), "--keep=2"]) == 0
    # 1 has the labels stable and canary until someone moves them.
    assert versions(serving).keys() == {1, 3, 4}
    assert "version 2 is removed" in capsys.readouterr().out
    config = serving / "serving" / "models.config"
    config.write_text(config.read_text().replace("value: 1", "value: 4").replace("        versions: 1\n", ""))
    assert pusher.main([*flags(serving, models[4]), "--keep=1"]) == 0
    assert versions(serving) == {4: "graph 4"}
    assert {path.name for path in serving.iterdir()} == {"4", "serving", ".push.lock"}


@pytest.mark.parametrize("stage", ["model_blessing", "infra_blessing"])
def test_without_both_blessings_nothing_is_pushed(stage, models, serving, tmp_path, capsys):
    assert pusher.main(flags(serving, models[1])) == 0
    shutil.rmtree(models[2] / stage)
    artifacts.write_blessing(
        models[2] / stage, ["it is worse"], {"fingerprint": fingerprint(models[2] / "Format-Serving")}
    )
    assert pusher.main([*flags(serving, models[2]), f"--output={tmp_path / 'pushed'}"]) == 3
    assert "did not bless it: it is worse" in capsys.readouterr().out
    pushed = json.loads((tmp_path / "pushed" / "pushed.json").read_text())
    assert not pushed["pushed"] and "it is worse" in pushed["reasons"][0]
    assert versions(serving) == {1: "graph 1"}


def test_blessings_of_another_model_do_not_count(models, serving, capsys):
    arguments = [*flags(serving, models[1])[:-1], f"--infra_blessing={models[2] / 'infra_blessing'}"]
    assert pusher.main(arguments) == 2
    assert "is of another model" in capsys.readouterr().err
    (models[1] / "model_blessing" / "BLESSED").rename(models[1] / "model_blessing" / "NOT_BLESSED")
    assert pusher.main(flags(serving, models[1])) == 2
    assert "contradicts itself: by reasons.json it should have the file BLESSED" in capsys.readouterr().err
    assert not serving.exists()


def test_an_earlier_version_comes_back_under_the_next_number(models, serving, capsys):
    for number in (1, 2):
        pusher.main(flags(serving, models[number]))
    capsys.readouterr()
    assert pusher.main([f"--serving={serving}", "--rollback=1"]) == 0
    assert versions(serving) == {1: "graph 1", 2: "graph 2", 3: "graph 1"}
    assert json.loads((serving / "3" / "pushed.json").read_text())["rollback_of"] == 1
    assert "versions: 3" in (serving / "serving" / "models.config").read_text()
    assert "version 3 of stargan" in capsys.readouterr().out
    # Once is enough, and the model that was rolled back from does not return by itself.
    assert pusher.main([f"--serving={serving}", "--rollback=1"]) == 0
    assert pusher.main(flags(serving, models[2])) == 0
    assert "was rolled back from; version 3 stays" in capsys.readouterr().out
    assert versions(serving).keys() == {1, 2, 3}
    assert "versions: 3" in (serving / "serving" / "models.config").read_text()


def test_what_was_rolled_back_from_stays_out_when_its_version_is_removed(models, serving):
    for number in (1, 2):
        pusher.main(flags(serving, models[number]))
    assert pusher.main([f"--serving={serving}", "--rollback=1"]) == 0
    (serving / "serving" / "models.config").write_text("# loaded by other means\n")
    assert pusher.main([*flags(serving, models[3]), "--keep=1"]) == 0
    assert pusher.main([*flags(serving, models[2]), "--keep=1"]) == 0
    assert versions(serving) == {4: "graph 3"}


def test_an_earlier_model_that_is_blessed_again_is_served_again(models, serving):
    for number in (1, 2, 1):
        assert pusher.main(flags(serving, models[number])) == 0
    assert versions(serving) == {1: "graph 1", 2: "graph 2", 3: "graph 1"}


def test_records_of_earlier_versions_tell_what_was_rolled_back_from(models, serving):
    for number in (1, 2):
        pusher.main(flags(serving, models[number]))
    pusher.main([f"--serving={serving}", "--rollback=1"])
    for record in serving.glob("*/pushed.json"):
        content = json.loads(record.read_text())
        del content["withdrawn"]  # as they were written before
        record.write_text(json.dumps(content))
    assert pusher.main(flags(serving, models[2])) == 0
    assert versions(serving).keys() == {1, 2, 3}


@pytest.mark.parametrize("problem", ["read-only", "full", "a file"])
def test_a_directory_that_cannot_be_written_is_one_sentence(problem, models, serving, tmp_path):
    """On a small file system of its own, in a name space of the child's."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not permitted")
    mounted = {"read-only": "ro", "full": "size=16k", "a file": None}[problem]
    serving.parent.mkdir()
    mount = f"mount -t tmpfs -o {mounted} tmpfs {serving.parent}" if mounted else f"touch {serving}"
    command = f'{mount} && exec "$@"'
    program = [sys.executable, "-m", "pipeline.components.pusher", *flags(serving, models[1])]
    ended = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", command, "sh", *program], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 2
    words = {"read-only": "Read-only file system", "full": "no space left on the device", "a file": "File exists"}
    assert ended.stderr == f"{pusher.PROGRAM}: error: {str(serving)!r} cannot be written: {words[problem]}\n"


def test_a_damaged_version_does_not_come_back(models, serving, capsys):
    for number in (1, 2):
        pusher.main(flags(serving, models[number]))
    (serving / "1" / "saved_model.pb").write_text("graph 7")
    assert pusher.main([f"--serving={serving}", "--rollback=1"]) == 2
    assert "is not as it was published" in capsys.readouterr().err
    assert pusher.main([f"--serving={serving}", "--rollback=5"]) == 2
    assert "has the versions 1, 2" in capsys.readouterr().err
    assert versions(serving).keys() == {1, 2}


# Each ends the process by SIGKILL at another point of publishing.
KILLS = {
    "while copying": "shutil.copystat = kill",
    "while synchronizing": "os.fsync = kill",
    "before the rename": "pathlib.Path.rename = kill",
    "after the rename": "pathlib.Path.rename = lambda old, new, rename=pathlib.Path.rename: (rename(old, new), kill())",
    "while removing": "shutil.rmtree = kill",
}


@pytest.mark.parametrize("point", KILLS)
def test_a_killed_push_is_completed_by_the_next_one(point, models, serving):
    """However it is killed, a server that looks all the time never sees a version that is not complete."""
    # Version 1 is not served any more, so that it is removed with the next push.
    assert pusher.main(flags(serving, models[1])) == 0
    (serving / "serving" / "models.config").write_text("# loaded by other means\n")
    contents = {fingerprint(model / "Format-Serving") for model in models.values()}
    incomplete, over = [], threading.Event()

    def watch():
        while not over.wait(0.001):
            for path in serving.iterdir():
                try:
                    complete = not path.name.isdigit() or fingerprint(path, without=["pushed.json"]) in contents
                except FileNotFoundError:
                    complete = False
                if not complete and path.exists():  # else it was removed as a whole while we were looking
                    incomplete.append(path.name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = f"""
import os, pathlib, shutil, signal, sys
from pipeline.components import pusher
kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
{KILLS[point]}
pusher.main(sys.argv[1:])
"""
    arguments = [*flags(serving, models[2]), "--keep=1"]
    try:
        assert subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT).returncode == -9
        assert pusher.main(arguments) == 0
    finally:
        over.set()
        watcher.join()
    assert not incomplete
    assert versions(serving) == {2: "graph 2"}
    assert {path.name for path in serving.iterdir()} == {"2", "serving", ".push.lock"}


def test_two_do_not_publish_at_once(models, serving):
    from pipeline.serving_directory import ServingDirectory

    with ServingDirectory(serving).locked(), pytest.raises(UserError, match="another process is publishing"):
        pusher.run(pusher.Arguments(serving=str(serving), rollback=1))


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--keep=0", "--keep is 0; it must be at least 1"),
        ("--rollback=1", "--rollback takes no --model"),
        ("--serving=gs://models/stargan", "--serving is gs://models/stargan; it must be a local or mounted directory"),
        ("--serving=my model", "the model would be named 'my model'"),
        ("--model=nowhere", "--model 'nowhere' has no SavedModel in Format-Serving"),
    ],
)
def test_a_mistake_gets_one_sentence(flag, sentence, models, serving, capsys):
    assert pusher.main([*flags(serving, models[1]), flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not serving.exists()


def test_a_blessing_that_is_missing_is_named(models, serving, capsys):
    assert pusher.main(flags(serving, models[1])[:-1]) == 2
    assert "--infra_blessing is missing" in capsys.readouterr().err
