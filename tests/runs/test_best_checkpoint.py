import dataclasses
from pathlib import Path

import pytest
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.runs import best_checkpoint
from stargan_tf.runs import checkpoint_files as files
from stargan_tf.runs.best_checkpoint import Best


def save(run, step, value=None):
    """Writes a checkpoint that holds its own step, or another value."""
    (run / files.DIRECTORY).mkdir(exist_ok=True)
    content = tf.Variable(step if value is None else value)
    tf.train.Checkpoint(content=content).write(str(files.path_of(run, step)))


def keep(run, step, value, measure="fid", measured_with="classifier_0/50x10"):
    return best_checkpoint.keep(run, Best(step, measure, value, measured_with), measure not in ("fid", "kid"))


def content_of_best(run) -> int:
    reader = tf.train.load_checkpoint(str(best_checkpoint.path(run)))
    return int(reader.get_tensor("content/.ATTRIBUTES/VARIABLE_VALUE"))


def names(run) -> set[str]:
    return {path.name.partition(".")[0] for path in (run / files.DIRECTORY).glob("best-*")}


def test_the_best_is_kept_when_the_newest_move_on(tmp_path):
    for step, value, is_best in ((1, 9.0, True), (2, 5.0, True), (3, 7.0, False), (4, 5.0, False)):
        save(tmp_path, step)
        assert keep(tmp_path, step, value) == is_best
        files.prune(tmp_path, keep=1)
    assert content_of_best(tmp_path) == 2
    assert names(tmp_path) == {"best-2"}
    assert files.saved_steps(tmp_path) == [4]
    assert best_checkpoint.read(tmp_path) == Best(2, "fid", 5.0, "classifier_0/50x10", "best-2")


def test_higher_may_be_better(tmp_path):
    for step, value in ((1, 0.3), (2, 0.5), (3, 0.4)):
        save(tmp_path, step)
        keep(tmp_path, step, value, "lpips")
    assert content_of_best(tmp_path) == 2


def test_what_cannot_be_compared_does_not_count(tmp_path):
    for step, value, measured_with in ((1, 1.0, "a"), (2, 8.0, "b")):
        save(tmp_path, step)
        assert keep(tmp_path, step, value, measured_with=measured_with)
    assert content_of_best(tmp_path) == 2
    save(tmp_path, 3)
    assert not keep(tmp_path, 3, float("nan"), measured_with="c")


def test_a_step_that_is_made_again(tmp_path):
    save(tmp_path, 5)
    assert keep(tmp_path, 5, 9.0)
    assert keep(tmp_path, 5, 9.0)  # the same again, after a kill
    save(tmp_path, 5, value=55)  # the run has rolled back and come to this step another way
    assert content_of_best(tmp_path) == 5
    assert keep(tmp_path, 5, 8.0)
    assert content_of_best(tmp_path) == 55
    save(tmp_path, 5, value=555)
    assert keep(tmp_path, 5, 7.0)
    assert content_of_best(tmp_path) == 555
    assert len(names(tmp_path)) == 1


@pytest.mark.parametrize("moment", range(5))
def test_killed_at_any_moment_there_is_one(moment, tmp_path, monkeypatch):
    save(tmp_path, 1)
    keep(tmp_path, 1, 9.0)
    save(tmp_path, 2)

    class Killed(BaseException):
        pass

    def counted(function):
        def call(*arguments, **options):
            nonlocal moment
            moment -= 1
            if moment < 0:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(best_checkpoint.shutil, "copyfile", counted(best_checkpoint.shutil.copyfile))
        for name in ("write_text", "replace", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        with pytest.raises(Killed):
            keep(tmp_path, 2, 5.0)
    assert content_of_best(tmp_path) in (1, 2)
    assert keep(tmp_path, 2, 5.0)
    assert content_of_best(tmp_path) == 2
    assert names(tmp_path) - {"best-1"} == {"best-2"}


def test_none_and_a_damaged_one_are_told(tmp_path):
    with pytest.raises(UserError, match=r"has no best checkpoint; training keeps one with --training.eval_every"):
        best_checkpoint.path(tmp_path)
    save(tmp_path, 1)
    keep(tmp_path, 1, 9.0)
    data = next((tmp_path / files.DIRECTORY).glob("best-1.data*"))
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"best-1' is damaged .*; use the latest one"):
        best_checkpoint.path(tmp_path)
    assert dataclasses.is_dataclass(best_checkpoint.read(tmp_path))
