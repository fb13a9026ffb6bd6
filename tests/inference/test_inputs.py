from pathlib import Path

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import evenly_spread
from stargan_tf.inference.inputs import find_references, find_sources, flat_name


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


def test_names_tell_where_an_image_lay():
    assert flat_name(Path("photos/deep/er/a.b.JPG"), Path("photos")) == "deep__er__a.b_jpg"
    assert flat_name(Path("photos/cat.png"), Path("photos/cat.png")) == "cat_png"
