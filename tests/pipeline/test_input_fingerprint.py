"""Whether images are the same, told by content."""

import os

import pytest

from pipeline.orchestration.input_fingerprint import fingerprint
from stargan_tf.base import files
from stargan_tf.base.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "images"


def test_content_and_names_count_and_times_do_not(folder, tmp_path):
    known = tmp_path / "known.json"
    first = fingerprint(str(folder), known)
    assert first == fingerprint(str(folder), known) == fingerprint(str(folder))
    os.utime(folder / "cat" / "1.png", (1, 1))
    assert fingerprint(str(folder), known) == first
    moved = folder.rename(tmp_path / "elsewhere")
    assert fingerprint(str(moved)) == first

    (moved / "cat" / "1.png").write_bytes(b"another")
    changed = fingerprint(str(moved), known)
    (moved / "cat" / "1.png").write_bytes(b"cat/1.png")
    assert fingerprint(str(moved), known) == first != changed
    (moved / "cat" / "1.png").rename(moved / "dog" / "3.png")
    assert fingerprint(str(moved), known) not in (first, changed)


def test_what_is_remembered_is_not_read_again(folder, tmp_path):
    known = tmp_path / "known.json"
    first = fingerprint(str(folder), known)
    path = folder / "dog" / "1.png"
    state = path.stat()
    path.write_bytes(b"x" * state.st_size)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # As no program would leave it.
    assert fingerprint(str(folder), known) == first
    known.write_text("damaged")
    assert fingerprint(str(folder), known) != first


def test_a_single_file_counts_too_and_nothing_is_an_error(folder):
    assert fingerprint(str(folder / "cat" / "1.png")) != fingerprint(str(folder / "cat" / "2.png"))
    with pytest.raises(UserError, match="does not exist"):
        fingerprint(str(folder / "zebra"))


def test_files_of_a_store_are_told_apart_without_being_read(store):
    for name in ("cat/1.png", "dog/1.png"):
        files.write(f"{store}/images/{name}", name.encode())
    before = fingerprint(f"{store}/images")
    assert fingerprint(f"{store}/images") == before
    files.write(f"{store}/images/cat/1.png", b"another")
    assert fingerprint(f"{store}/images") != before
    with pytest.raises(UserError, match="does not exist, or is empty"):
        fingerprint(f"{store}/none")


def test_a_pattern_is_its_files(folder):
    first = fingerprint(f"{folder}/cat/*.png")
    assert first == fingerprint(f"{folder}/cat/{{1,2}}.png") != fingerprint(f"{folder}/cat/1.png")
    (folder / "dog" / "1.png").write_bytes(b"another")
    assert fingerprint(f"{folder}/cat/*.png") == first
    (folder / "cat" / "1.png").write_bytes(b"another")
    assert fingerprint(f"{folder}/cat/*.png") != first
