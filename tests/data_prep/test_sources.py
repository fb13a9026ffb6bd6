import io
import json
import tarfile
import zipfile

import pytest

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError


def touch(root, *paths):
    """Files whose content is their path."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def find(place, **options):
    """The source, and its images by key."""
    source = open_source(str(place), SourceOptions(**options), str(place) + ".work")
    return source, {image.key: image for image in source.images()}


def test_train_and_val_folders(tmp_path):
    touch(tmp_path, "train/dog/b.jpg", "train/cat/a.PNG", "val/cat/c.tiff", "train/dog/deep/er/d.JPeG", "LICENSE.jpg")
    source, images = find(tmp_path)
    assert source.domains == ("cat", "dog")
    assert {key: (image.subset, image.domain) for key, image in images.items()} == {
        "train/cat/a.PNG": ("train", "cat"),
        "train/dog/b.jpg": ("train", "dog"),
        "train/dog/deep/er/d.JPeG": ("train", "dog"),
        "val/cat/c.tiff": ("val", "cat"),
    }
    assert all(read_image(image.location, 100).decode() == key for key, image in images.items())
    assert source.ignored == {"images outside the folders of domains": 1}


def test_hidden_and_other_files_and_empty_folders_are_ignored(tmp_path):
    touch(tmp_path, "cat/a.jpg", "cat/.b.jpg", "cat/.thumbnails/c.jpg", "cat/notes.txt", "dog/d.webp", ".git/e.jpg")
    (tmp_path / "empty").mkdir()
    source, images = find(tmp_path)
    assert source.domains == ("cat", "dog") and images.keys() == {"cat/a.jpg", "dog/d.webp"}
    assert source.ignored == {"hidden files and folders": 3, "files ending in .txt": 1}


def test_a_hash_decides_where_there_is_no_val(tmp_path):
    touch(tmp_path / "one", "train/cat/a.jpg", "train/dog/b.jpg")
    touch(tmp_path / "two", "cat/a.jpg", "dog/b.jpg")
    for root in ("one", "two"):
        assert {image.subset for image in find(tmp_path / root)[1].values()} == {""}


def test_attributes(tmp_path):
    touch(tmp_path, "cat/a.jpg", "dog/b.jpg")
    entry = {"path": "dog/b.jpg", "attributes": {"size": 2, "coat": "short"}}
    (tmp_path / "attributes.jsonl").write_text(json.dumps(entry) + "\n")
    _, images = find(tmp_path)
    assert images["cat/a.jpg"].attributes == "{}"
    assert images["dog/b.jpg"].attributes == '{"coat": "short", "size": 2}'


@pytest.mark.parametrize("line", ["nonsense", '{"path": "dog/b.jpg"}', '{"path": 1, "attributes": {}}', "[]", "3"])
def test_a_malformed_line_of_attributes_is_named(tmp_path, line):
    touch(tmp_path, "cat/a.jpg", "dog/b.jpg")
    (tmp_path / "attributes.jsonl").write_text('{"path": "cat/a.jpg", "attributes": {}}\n' + line)
    with pytest.raises(UserError, match=r"line 2 of .*attributes.jsonl"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no domains in"),
        (["a.jpg"], "no domains in"),
        (["cat/a.jpg"], "only one domain, 'cat'"),
        (["train/cat/a.jpg"], "only one domain, 'cat'"),
        (["cat/a.jpg", "dog/readme.txt"], "only one domain, 'cat'"),
        (["train/cat/a.jpg", "train/dog/b.txt", "val/dog/c.jpg"], "domain 'dog' is in .*val but not in .*train"),
        (["val/cat/a.jpg", "val/dog/b.jpg"], "has a folder val but no images in one called train"),
        (["t-shirt/a.jpg", "t_shirt/b.jpg"], "'t-shirt' and 't_shirt'"),
    ],
)
def test_mistakes_are_named(tmp_path, paths, message):
    touch(tmp_path, *paths)
    with pytest.raises(UserError, match=message):
        find(tmp_path)


def test_a_missing_place_and_a_file_of_no_known_kind_are_named(tmp_path):
    with pytest.raises(UserError, match=f"--input {tmp_path / 'none'} does not exist"):
        find(tmp_path / "none")
    touch(tmp_path, "images.xyz")
    with pytest.raises(UserError, match=r"images.xyz is a file of no known kind; it should end in one of .csv"):
        find(tmp_path / "images.xyz")


ARCHIVED = ("train/cat/a.jpg", "train/dog/b.PNG", "val/dog/c.webp", "train/dog/notes.txt", "train/dog/.d.jpg")


def make_archive(file):
    """An archive of files whose content is their path and many spaces, and of a folder."""
    contents = {name: name.encode() + b" " * 1000 for name in ARCHIVED}
    if file.name.endswith("zip"):
        with zipfile.ZipFile(file, "w") as archive:
            archive.mkdir("train")
            for index, (name, content) in enumerate(contents.items()):
                archive.writestr(name, content, zipfile.ZIP_DEFLATED if index % 2 else zipfile.ZIP_STORED)
    else:
        with tarfile.open(file, "w" + ("" if file.suffix == ".tar" else f":{file.suffix[1:]}")) as archive:
            folder = tarfile.TarInfo("train/")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            for name, content in contents.items():
                member = tarfile.TarInfo(f"./{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return file


@pytest.mark.parametrize("name", ["i.zip", "i.tar", "i.tar.gz", "i.tar.bz2", "i.tar.xz"])
def test_archives_are_read_without_unpacking(tmp_path, name):
    source, images = find(make_archive(tmp_path / name))
    assert source.domains == ("cat", "dog")
    assert {key: image.subset for key, image in images.items()} == {
        "train/cat/a.jpg": "train",
        "train/dog/b.PNG": "train",
        "val/dog/c.webp": "val",
    }
    for key, image in images.items():
        assert read_image(image.location, 2000) == key.encode() + b" " * 1000
        with pytest.raises(OSError, match="more than 500 bytes"):
            read_image(image.location, 500)
    assert source.ignored == {"hidden files": 1, "files ending in .txt": 1}


@pytest.mark.parametrize("name", ["i.zip", "i.tar", "i.tar.gz"])
def test_a_damaged_archive_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no archive" * 100)
    with pytest.raises(UserError, match=f"{name} cannot be read as an archive"):
        find(tmp_path / name)


def test_a_deflated_member_that_is_damaged_cannot_be_read(tmp_path):
    archive = make_archive(tmp_path / "i.zip")
    location = find(archive)[1]["train/dog/b.PNG"].location
    content = bytearray(archive.read_bytes())
    start = location.offset + 30 + len("train/dog/b.PNG")
    content[start : start + location.size] = b"\xff" * location.size
    archive.write_bytes(content)
    with pytest.raises(OSError, match="damaged in the archive"):
        read_image(location, 2000)
