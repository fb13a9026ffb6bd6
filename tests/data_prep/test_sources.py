import json

import pytest

from data_prep.sources import find_images
from stargan_tf.errors import UserError


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_train_and_val_folders(tmp_path):
    touch(tmp_path, "train/dog/b.jpg", "train/cat/a.PNG", "val/cat/c.tiff", "train/dog/deep/er/d.JPeG", "LICENSE.jpg")
    sources = find_images(tmp_path, val_fraction=0.5, seed=0)
    assert sources.domains == ("cat", "dog")
    assert [(image.key, image.subset, image.label) for image in sources.images] == [
        ("train/cat/a.PNG", "train", 0),
        ("train/dog/b.jpg", "train", 1),
        ("train/dog/deep/er/d.JPeG", "train", 1),
        ("val/cat/c.tiff", "val", 0),
    ]
    assert all(image.path == str(tmp_path / image.key) for image in sources.images)


def test_hidden_and_other_files_are_ignored(tmp_path):
    touch(tmp_path, "cat/a.jpg", "cat/.b.jpg", "cat/.thumbnails/c.jpg", "cat/notes.txt", "dog/d.webp", ".git/e.jpg")
    assert [image.key for image in find_images(tmp_path, 0.0, 0).images] == ["cat/a.jpg", "dog/d.webp"]


def test_the_split_by_hash_has_the_share_and_is_stable(tmp_path):
    touch(tmp_path, *(f"{domain}/{i}.jpg" for domain in ("cat", "dog") for i in range(500)))
    before = {image.key: image.subset for image in find_images(tmp_path, 0.2, 0).images}
    assert list(before.values()).count("val") == pytest.approx(200, abs=40)
    other_seed = {image.key: image.subset for image in find_images(tmp_path, 0.2, 1).images}
    assert before != other_seed
    touch(tmp_path, "cat/new.jpg", "dog/new.jpg")
    after = {image.key: image.subset for image in find_images(tmp_path, 0.2, 0).images}
    assert before.items() <= after.items() and len(after) == 1002


def test_train_without_val_is_split_by_hash(tmp_path):
    touch(tmp_path, *(f"train/{domain}/{i}.jpg" for domain in ("cat", "dog") for i in range(50)))
    assert {image.subset for image in find_images(tmp_path, 0.2, 0).images} == {"train", "val"}
    assert {image.subset for image in find_images(tmp_path, 0.0, 0).images} == {"train"}


def test_attributes(tmp_path):
    touch(tmp_path, "cat/a.jpg", "dog/b.jpg")
    entry = {"path": "dog/b.jpg", "attributes": {"size": 2, "coat": "short"}}
    (tmp_path / "attributes.jsonl").write_text(json.dumps(entry) + "\n")
    cat, dog = find_images(tmp_path, 0.0, 0).images
    assert cat.attributes == "{}"
    assert dog.attributes == '{"coat": "short", "size": 2}'


@pytest.mark.parametrize("line", ["nonsense", '{"path": "dog/b.jpg"}', '{"path": 1, "attributes": {}}', "[]", "3"])
def test_a_malformed_line_of_attributes_is_named(tmp_path, line):
    touch(tmp_path, "cat/a.jpg", "dog/b.jpg")
    (tmp_path / "attributes.jsonl").write_text('{"path": "cat/a.jpg", "attributes": {}}\n' + line)
    with pytest.raises(UserError, match=r"line 2 of .*attributes.jsonl"):
        find_images(tmp_path, 0.0, 0)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no domains in"),
        (["a.jpg"], "no domains in"),
        (["cat/a.jpg"], "only one domain, 'cat'"),
        (["train/cat/a.jpg"], "only one domain, 'cat'"),
        (["cat/a.jpg", "dog/readme.txt"], "domain 'dog' is empty"),
        (["train/cat/a.jpg", "train/dog/b.txt", "val/dog/c.jpg"], "domain 'dog' is empty"),
        (["train/cat/a.jpg", "train/dog/b.jpg", "val/fox/c.jpg"], "domain 'fox' is in .*val but not in .*train"),
        (["val/cat/a.jpg", "val/dog/b.jpg"], "has a folder val but none called train"),
        (["t-shirt/a.jpg", "t_shirt/b.jpg"], "'t-shirt' and 't_shirt'"),
    ],
)
def test_mistakes_are_named(tmp_path, paths, message):
    touch(tmp_path, *paths)
    with pytest.raises(UserError, match=message):
        find_images(tmp_path, 0.1, 0)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(UserError, match=f"--input {tmp_path / 'none'} is not a directory"):
        find_images(tmp_path / "none", 0.1, 0)
