import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.data.records import open_data_directory
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.evaluation.tasks import LatentStyles, ReferenceStyles, Task, all_tasks
from stargan_tf.inference.translator import Translator

pytestmark = pytest.mark.slow

TASK = Task("latent", "circle", "square")


@pytest.fixture(scope="module")
def translator(trained_run):
    return Translator.from_run(trained_run, batch_size=4)


@pytest.fixture(scope="module")
def images(data_path):
    data = open_data_directory(data_path)
    return {domain: StoredImages(data, f"val_{domain}") for domain in data.domains}


def test_tasks_of_a_target_stand_together():
    tasks = all_tasks(("latent", "reference"), ("a", "b", "c"))
    assert len(tasks) == len(set(tasks)) == 12
    assert [task.target for task in tasks] == ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    assert all(task.source != task.target for task in tasks)


def test_names_that_would_be_taken_for_each_other_are_refused():
    with pytest.raises(UserError, match="give tasks of the same name"):
        all_tasks(("latent",), ("a", "a2b", "b2c", "c"))


@pytest.mark.parametrize("kind", ["latent", "reference"])
def test_styles_depend_on_task_and_source_alone(kind, translator, images):
    def styles(task, numbers, seed=0):
        if kind == "latent":
            made = LatentStyles(translator, outputs=2, psi=1.0, seed=seed)
        else:
            made = ReferenceStyles(translator, 2, seed, images, dict.fromkeys(images, (0, 1, 2)))
        return made(task, numbers)

    whole = styles(TASK, range(20))
    assert whole.shape == (2, 20, translator.style_dim)
    np.testing.assert_allclose(styles(TASK, [7, 3]), whole[:, [7, 3]], atol=1e-5)
    for other in (styles(Task("latent", "triangle", "square"), range(20)), styles(TASK, range(20), seed=1)):
        assert not np.allclose(other, whole)
    assert (np.abs(whole[0] - whole[1]).max(axis=-1) > 1e-6).all()  # no reference is taken twice for one source


def test_references_are_repeated_where_there_are_too_few(translator, images):
    styles = ReferenceStyles(translator, 5, 0, images, dict.fromkeys(images, (0, 2)))(TASK, range(6))
    known = translator.styles_from_references(images["square"].read([0, 2]), "square")
    distances = np.abs(styles[:, :, None] - known).max(axis=-1).min(axis=-1)
    np.testing.assert_allclose(distances, 0, atol=1e-5)
