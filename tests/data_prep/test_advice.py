"""What the job says of inputs in which it finds no domains."""

import os
import tarfile
import zipfile

import pytest

from data_prep.sources import SourceOptions, open_source
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import noise


def refusal(place):
    with pytest.raises(UserError) as raised:
        open_source(str(place), SourceOptions(), str(place) + ".work")
    return str(raised.value)


def make(folder, *names, data=b"1"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


START = "no domains in {}: there should be a folder with images for each, and it holds "


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "nothing"),
        (
            ["1.jpg", "2.HEIC"],
            "2 images that are in no folder, '1.jpg' for instance; put those of each domain into one",
        ),
        ([".a.jpg", ".git/b.jpg"], "2 hidden files and folders"),
        (["a.7z", "b.7z"], "2 files ending in .7z, 'a.7z' for instance: an archive that is not read; unpack it, with"),
        (["i.rar"], "unrar x"),
        (
            ["all/data.mdb", "all/lock.mdb"],
            "2 files ending in .mdb, 'all/data.mdb' for instance: an LMDB database; write",
        ),
        (
            ["cat/1.jxl", "dog/1.jxl"],
            "2 files ending in .jxl, 'cat/1.jxl' for instance: a format that is not read; conv",
        ),
        (["cats.mp4"], "a video; take its frames"),
        (["t.tfrecord-00000-of-00002", "t.tfrecord-00001-of-00002"], "2 files ending in .tfrecord, 't.tfrecord-00000"),
        (["data-00000-of-00001.arrow"], "`load_from_disk(DIR).to_parquet(FILE)` makes one that is read of it"),
        (["cats.zip", "dogs.zip"], "2 files ending in .zip, 'cats.zip' for instance: an archive; name it as the input"),
        (["x.abc", "y.abc", "z.q", "u.v"], "2 files ending in .abc, 'x.abc' for instance: text; 1 files ending in "),
    ],
)
def test_what_is_there_and_how_it_would_be_read(tmp_path, names, said):
    (tmp_path / "i").mkdir()
    place = make(tmp_path / "i", *names)
    told = refusal(place)
    assert told.startswith(START.format(place)) and said in told
    if names:
        with zipfile.ZipFile(tmp_path / "i.zip", "w") as archive:
            for name in names:
                archive.writestr(name, b"1")
        told = refusal(tmp_path / "i.zip")
        assert told.startswith(START.format(tmp_path / "i.zip")) and said.replace(" and folders", "") in told


@pytest.mark.parametrize(("ending", "said"), [("", "without an ending"), (".png?width=9", "ending in .png?width=9")])
def test_files_of_other_endings_are_looked_into(tmp_path, ending, said):
    for name in ("cat/1", "dog/2", "dog/3"):
        (tmp_path / "i" / name).parent.mkdir(parents=True, exist_ok=True)
        noise(4, 4).save(tmp_path / "i" / (name + ending), "PNG")
    assert refusal(tmp_path / "i").endswith(
        f"it holds 3 files {said}, 'cat/1{ending}' for instance: an image (PNG); give images the ending of their kind, "
        "or list them in a table (.csv)"
    )
    make(tmp_path / "text", "cat/1", data=b"Notes.")
    assert refusal(tmp_path / "text").endswith("1 files without an ending, 'cat/1' for instance: text")


def test_a_folder_without_images_that_can_be_read_is_told(tmp_path):
    place = make(tmp_path / "i", "cat/1.jpg", "dog/2.jxl", "dog/3.jxl", "docs/4.css")
    assert refusal(place).endswith(
        "(left out: 2 files ending in .jxl in the folder 'dog', where no images are that can be read, 1 files ending "
        "in .css)"
    )
    source = open_source(str(make(place, "eel/1.jpg")), SourceOptions(), "")
    assert source.domains == ("cat", "eel") and len(list(source.images())) == 2
    assert source.ignored == {
        "files ending in .jxl in the folder 'dog', where no images are that can be read": 2,
        "files ending in .css": 1,
    }


def test_a_list_without_labels_is_told(tmp_path):
    place = make(tmp_path / "i", "1.jpg", "metadata.csv", data=b"file_name,animal\n1.jpg,cat\n")
    assert "a list of images in which no column is called label; name the column of labels by --label" in refusal(place)


def test_a_table_beside_the_only_folder_is_told(tmp_path):
    place = make(tmp_path / "i", "images/1.jpg", "labels.csv")
    assert refusal(place).endswith("(left out: 1 files ending in .csv; a table can be the input itself)")


def test_links_to_folders_are_told(tmp_path):
    make(tmp_path / "elsewhere", "cat/1.jpg", "dog/2.jpg")
    (tmp_path / "i").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "i" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert refusal(tmp_path / "i").endswith("it holds 2 links to folders; --follow_links follows links")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("i.7z", "i.7z is an archive that is not read; unpack it, with `7z x` for instance, and name the folder"),
        (
            "i.tar.zst",
            "i.tar.zst is compressed in a way that is not read; unpack it, with `tar -xaf` for instance, and",
        ),
        ("i.mdb", "i.mdb is an LMDB database; write each of its values"),
        ("i.h5", "i.h5 is a file of arrays"),
        ("cat.JPG", "cat.JPG is one image; name the folder that holds a folder of images for each domain"),
        ("i.json", "i.json is no table that is read; write it as .csv, or as .jsonl with one object on each line"),
    ],
)
def test_a_file_that_is_not_read_is_told_what_to_do_with(tmp_path, name, said):
    assert said in refusal(make(tmp_path, name) / name)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html><html><body>Too many downloads.", "; it is an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "; it is a pointer of Git LFS; `git lfs pull`"),
        (b"7z\xbc\xaf\x27\x1c" + b"1" * 100, "; it is a 7z archive"),
        (b"", "; it is an empty file"),
    ],
)
@pytest.mark.parametrize("name", ["i.zip", "i.tar", "i.tar.gz"])
def test_a_file_that_is_no_archive_is_called_what_it_is(tmp_path, name, data, said):
    told = refusal(make(tmp_path, name, data=data) / name)
    assert f"{name} cannot be read as an archive: " in told and said in told


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("i.tar", "gz", "; it is a file compressed by gzip, whose name should end in .tar.gz"),
        ("i.tar.gz", "xz", "; it is a file compressed by xz, whose name should end in .tar.xz"),
        ("i.txz", "bz2", "; it is a file compressed by bzip2, whose name should end in .tar.bz2"),
        ("i.zip", "", "; it is a tar archive, whose name should end in .tar"),
    ],
)
def test_an_archive_of_another_kind_than_its_name_says_is_called_what_it_is(tmp_path, name, how, said):
    (tmp_path / "a.jpg").write_bytes(bytes(2000))
    with tarfile.open(tmp_path / name, f"w:{how}") as archive:
        archive.add(tmp_path / "a.jpg", "cat/a.jpg")
    assert refusal(tmp_path / name).endswith(said)


def test_a_tar_whose_end_is_missing_is_told(tmp_path):
    (tmp_path / "a.jpg").write_bytes(bytes(2000))
    with tarfile.open(tmp_path / "i.tar", "w") as archive:
        archive.add(tmp_path / "a.jpg", "cat/a.jpg")
        archive.add(tmp_path / "a.jpg", "dog/a.jpg")
    os.truncate(tmp_path / "i.tar", 512 + 2048 + 100)
    assert refusal(tmp_path / "i.tar").endswith("; it begins as one, so it is damaged or its end is missing")
