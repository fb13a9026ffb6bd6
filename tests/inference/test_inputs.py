from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargan_tf.base.errors import UserError
from stargan_tf.base.file_names import same_file
from stargan_tf.data.images import evenly_spread
from stargan_tf.inference.inputs import find_references, find_sources, result_names


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/a.png", "cat/b.jpg", "cat/deep/c.webp", "dog/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_a_source_is_a_folder_or_a_file_of_any_name(folder):
    assert find_sources(folder / "cat") == [folder / "cat" / name for name in ("a.png", "b.jpg", "deep/c.webp")]
    assert find_sources(folder / "notes.txt") == [folder / "notes.txt"]
    with pytest.raises(UserError, match=r"there is no file or folder '.*nowhere' \(--source\)"):
        find_sources(folder / "nowhere")


def test_references_lie_in_a_folder_for_each_domain(folder):
    found = find_references(folder, ("cat", "dog"), 2)
    assert found == {"cat": [folder / "cat/a.png", folder / "cat/b.jpg"], "dog": [folder / "dog/d.png"]}
    with pytest.raises(UserError, match=r"there is no folder '.*fox'"):
        find_references(folder, ("cat", "fox"), 2)


def test_references_of_one_domain_may_be_an_image_or_a_folder(folder):
    assert find_references(folder / "dog/d.png", ("cat",), 2) == {"cat": [folder / "dog/d.png"]}
    assert find_references(folder / "dog", ("cat",), 2) == {"cat": [folder / "dog/d.png"]}
    assert find_references(folder, ("dog",), 2) == {"dog": [folder / "dog/d.png"]}
    with pytest.raises(UserError, match="say of which domain with --domain, one of cat, dog"):
        find_references(folder / "dog/d.png", ("cat", "dog"), 2)


def test_some_of_many_are_evenly_spread():
    paths = [Path(str(index)) for index in range(10)]
    assert evenly_spread(paths, 5) == paths[::2]
    assert evenly_spread(paths, 20) == paths
    assert evenly_spread(paths, 3)[0] == paths[0]


def test_a_domain_of_any_name_has_a_folder_of_references(folder):
    for name in ("_..", "_", "a_b"):
        (folder / name).mkdir()
        (folder / name / "e.png").touch()
    found = find_references(folder, ("..", "a/b", "cat"), 2)
    assert found[".."] == [folder / "_../e.png"] and found["a/b"] == [folder / "a_b/e.png"]


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["a.b.JPG", "deep/er/cat.png"], ["a.b", "deep/er/cat"]),
        (["a/b.jpg", "a__b.jpg"], ["a/b", "a__b"]),
        (["x.jpg", "x.png", "y.png"], ["x.jpg", "x.png", "y"]),
        (["x.JPG", "x.jpg"], ["x.JPG", "x.jpg-2"]),
        (["A/x.png", "a/x.png"], ["A/x.png", "a/x.png-2"]),
        (["x.jpg", "x.jpg.png", "x.png"], ["x.jpg", "x.jpg-2", "x.png"]),
        (["cat.png", "cat_0.png/dog.png"], ["cat", "cat_0.png_/dog"]),
    ],
)
def test_results_are_named_after_their_sources(sources, names):
    found = result_names([Path("photos") / source for source in sources], Path("photos"))
    assert list(found.values()) == names


def test_the_result_of_one_image_has_its_name():
    assert result_names([Path("photos/cat.png")], Path("photos/cat.png")) == {Path("photos/cat.png"): "cat"}


PARTS = st.text("aA.xé\\~字", min_size=1, max_size=80).filter(lambda part: part not in (".", ".."))


@pytest.mark.slow
@given(st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), unique=True, max_size=12))
def test_no_results_meet(sources):
    paths = [Path("photos") / source for source in sources]
    names = result_names(paths, Path("photos"))
    assert list(names) == paths
    assert len({same_file(name) for name in names.values()}) == len(paths)
    for name in names.values():
        parts = name.split("/")
        assert all(len(part.encode()) <= 255 - len("_100000.png") and part not in ("", ".", "..") for part in parts)
