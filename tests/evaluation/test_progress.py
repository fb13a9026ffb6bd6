import pytest

from stargan_tf.evaluation.progress import WorkDirectory
from stargan_tf.evaluation.tasks import Task


@pytest.mark.parametrize("target", ["dog", "..", "a/b", "d" * 200, "犬" * 60])
def test_a_task_is_kept_whatever_its_domains_are_called(target, tmp_path):
    work = WorkDirectory(tmp_path / "work", save_seconds=0)
    task, other = Task("latent", "c" * 200, target), Task("reference", "c" * 200, target)
    assert work.result(task) is None
    work.finish(task, {"fid": 1.5})
    assert work.result(task) == {"fid": 1.5}
    assert work.result(other) is None
    assert len(list((tmp_path / "work").iterdir())) == 1
