import importlib.util
import os
import sys

import fsspec
import pytest

from stargan_tf.base import files, stores
from stargan_tf.base.errors import TryAgainError, UserError
from tests.stores import KINDS, new_store


@pytest.fixture(params=["local", *KINDS])
def place(request, tmp_path):
    """An empty folder, local and on each kind of store."""
    return str(tmp_path) if request.param == "local" else f"{new_store(request.param, request)}/folder"


@pytest.mark.parametrize(
    ("folder", "joined", "parent"),
    [
        ("data", "data/a/b", "data/a"),
        ("data/", "data/a/b", "data/a"),
        ("/", "/a/b", "/a"),
        ("s3://bucket", "s3://bucket/a/b", "s3://bucket/a"),
    ],
)
def test_paths_are_text(folder, joined, parent):
    assert files.join(folder, "a", "b") == joined
    assert files.folder_of(joined) == parent
    assert files.name_of(joined) == files.name_of(joined + "/") == "b"
    assert (files.folder_of("a"), files.folder_of("/a")) == (".", "/")


def test_what_is_written_is_there(place):
    file = files.join(place, "folder", "file")
    assert not files.exists(file) and not files.is_folder(files.join(place, "folder"))
    files.write(file, b"0123456789")
    files.write(files.join(place, "empty"), b"")
    assert files.exists(file) and not files.is_folder(file) and files.is_folder(files.join(place, "folder"))
    assert not files.is_folder(files.join(place, "fold"))  # though a name begins like this
    assert (files.size(file), files.read(file), files.read(files.join(place, "empty"))) == (10, b"0123456789", b"")
    memory = memoryview(bytearray(100))
    assert files.read_range(file, 7, 20, memory) == b"789"
    assert files.read_range(file, 2, 3, memory) == b"234"
    with files.open_file(file, buffered=False) as opened:
        opened.seek(8)
        assert opened.read() == b"89"
    assert files.read(file, max_bytes=10) == b"0123456789"
    with pytest.raises(files.TooLarge, match="more than 9 bytes"):
        files.read(file, max_bytes=9)
    with pytest.raises(FileNotFoundError):
        files.read(files.join(place, "none"))
    files.write(file, b"other")
    files.rename(file, files.join(place, "moved"))
    files.write(file, b"another")
    files.rename(file, files.join(place, "moved"))
    assert files.read(files.join(place, "moved")) == b"another" and not files.exists(file)
    files.delete([files.join(place, name) for name in ("moved", "empty")])
    assert list(files.list_files(place)) == []


def test_lists_leave_out_what_is_hidden(place):
    for name in ("a", "b/c/d", "b/e", ".hidden", ".folder/f", "b/.g"):
        files.write(files.join(place, name), b"x")
    ignored: dict[str, int] = {}
    assert sorted(files.list_files(place, ignored)) == ["a", "b/c/d", "b/e"]
    assert ignored == {"hidden files and folders": 3}
    files.delete_folder(files.join(place, "b"))
    assert sorted(files.list_files(place)) == ["a"]


def test_folders_that_are_not_there(store, tmp_path):
    assert list(files.list_files(f"{store}/none")) == []
    files.delete_folder(f"{store}/none")
    with pytest.raises(FileNotFoundError):
        list(files.list_files(str(tmp_path / "none")))


def test_objects_that_stand_for_folders_are_no_files(request):
    address = new_store("s3", request)  # that in memory has folders
    client, _ = fsspec.url_to_fs(address)
    for name in ("placed/", "placed/inner/"):
        client.call_s3("put_object", Bucket=address.removeprefix("s3://"), Key=name, Body=b"")
    files.write(f"{address}/placed/inner/file", b"x")
    assert list(files.list_files(f"{address}/placed")) == ["inner/file"]


def test_links_that_lead_to_folders_are_not_followed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to("none")
    ignored: dict[str, int] = {}
    assert list(files.list_files(str(tmp_path), ignored)) == ["nowhere"]
    assert ignored == {"links to folders": 1}
    assert files.exists(str(tmp_path / "nowhere"))


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not an ordinary file"):
        files.read(str(tmp_path / "pipe"))


def test_a_file_that_is_created_is_whole_or_not_there(place):
    file = files.join(place, "folder", "file")
    with files.create(file) as first, files.create(file) as second:  # as two workers with the same work
        first.write(b"the same")
        second.write(b"the same")
        assert not files.exists(file)
    assert files.read(file) == b"the same"
    with pytest.raises(ZeroDivisionError), files.create(file) as opened:
        opened.write(b"half")
        raise ZeroDivisionError
    assert files.read(file) == b"the same"
    assert list(files.list_files(place)) == ["folder/file"]


@pytest.mark.slow
def test_states_tell_other_contents_apart(store):
    folder = f"{store}/states"
    for name in "ab":
        files.write(f"{folder}/{name}", b"x")
    before = files.remote_states(folder)
    assert len(before) == 2 and files.remote_states(folder) == before
    files.write(f"{folder}/a", b"xy")
    after = files.remote_states(folder)
    assert [path for path in before if before[path] != after[path]] == [path for path in before if path.endswith("/a")]
    assert len(files.remote_states(f"{folder}/b")) == 1


def test_a_file_system_that_nobody_knows_is_told():
    with pytest.raises(UserError, match=r"nowhere://bucket/data begins with no scheme .*s3://, gs://"):
        files.is_folder("nowhere://bucket/data")


@pytest.mark.parametrize(
    ("path", "package", "advice"),
    [("gs://b/x", "gcsfs", "stargan-tf[gcs]"), ("abfs://b/x", "adlfs", "stargan-tf[azure]")],
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(path, package, advice, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, path.partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    with pytest.raises(UserError) as raised:
        files.read(path)
    assert str(raised.value) == f"the package {package} is missing; `pip install '{advice}'` installs it"


def test_a_store_that_cannot_be_reached_is_told_in_a_sentence(monkeypatch):
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed; pip install '.[s3]' does that")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(stores, "WAITS", ())
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(TryAgainError, match="localhost:1"):
            files.read("s3://bucket/x")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_patterns_match_files(store):
    for name in ("a/1.tar", "a/2.tar", "a/2.txt", "b/3.tar"):
        files.write(f"{store}/patterns/{name}", b"x")
    found = files.match(f"{store}/patterns/*/?.tar")
    assert [path.partition("/patterns/")[2] for path in found] == ["a/1.tar", "a/2.tar", "b/3.tar"]
    assert all(files.is_remote(path) and files.read(path) == b"x" for path in found)
    assert files.list_folders(f"{store}/patterns") == ["a", "b"] and files.list_folders(f"{store}/patterns/none") == []
