import csv
import json
import shutil
import zipfile

import pyarrow
import pytest
from pyarrow import parquet

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import noise


def find(place, **options):
    """The source, and its images by key."""
    source = open_source(str(place), SourceOptions(**options), str(place) + ".work")
    return source, {image.key: image for image in source.images()}


ROWS = (
    {"file": "pictures/1.jpg", "kind": "cat", "part": "train", "more": 1},
    {"file": "/elsewhere/2.jpg", "kind": "dog", "part": "validation", "more": 2},
    {"file": "gs://bucket/3.jpg", "kind": "dog", "part": "test", "more": 3},
    {"file": "4, with a comma.jpg", "kind": "dog", "part": "", "more": 4},
)


def write_table(file, rows=ROWS):
    if file.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, rows[0], delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return file


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_tables(tmp_path, name):
    table = write_table(tmp_path / name)
    source, images = find(table, path_column="file", label_column="kind", split_column="part")
    assert source.domains == ("cat", "dog")
    assert {(image.location.path, image.domain, image.subset) for image in images.values()} == {
        (f"{tmp_path}/pictures/1.jpg", "cat", "train"),
        ("/elsewhere/2.jpg", "dog", "val"),
        (f"{tmp_path}/4, with a comma.jpg", "dog", ""),
    }
    assert source.ignored == {"rows of split 'test'": 1}
    _, images = find(table, path_column="file", label_column="kind", split_column="part", val_split="test")
    assert {key: image.subset for key, image in images.items()} == {
        "pictures/1.jpg": "train",
        "gs://bucket/3.jpg": "val",
        "4, with a comma.jpg": "",
    }
    _, images = find(table, path_column="file", label_column="kind", split_column="part", val_split="hash")
    assert {image.subset for image in images.values()} == {""} and len(images) == 2
    with pytest.raises(UserError, match=r"no --split_column of .* tells the split"):
        find(table, path_column="file", label_column="kind", val_split="test")
    _, images = find(table, path_column="file", label_column="kind", images="s3://b/folder/")
    assert images["pictures/1.jpg"].location.path == "s3://b/folder/pictures/1.jpg"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"path": "1.jpg", "kind": "cat"}], "has no column 'label'; it has 'path', 'kind'"),
        ([{"path": "1.jpg", "label": "cat"}, {"path": "2.jpg", "label": ""}], "row 2 of .* has no label"),
        ([{"path": "", "label": "cat"}], "row 1 of .* has no path"),
        ([{"path": "1.jpg", "label": "cat"}, {"path": "1.jpg", "label": "dog"}], "names '1.jpg' twice"),
    ],
)
def test_mistakes_in_a_table_are_named(tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        find(write_table(tmp_path / "t.csv", rows))


LATIN = "größe/1.jpg"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le with mark", "utf-16-be with mark"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_and_separators_are_recognized(tmp_path, encoding, separator):
    encoding, _, mark = encoding.partition(" ")
    lines = ["path,label,comment", f"{LATIN},cat,x", '2.jpg,dog,"two\nlines; and, more"', "", "3.jpg,dog"]
    text = ("\ufeff" if mark else "") + "\r\n".join(lines).replace(",", separator).replace("and" + separator, "and,")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    _, images = find(tmp_path / "t.csv")
    assert {key: image.domain for key, image in images.items()} == {LATIN: "cat", "2.jpg": "dog", "3.jpg": "dog"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "path,label\nä.jpg,cat\n".encode("latin-1"), "t.csv is not in UTF-8: .*0xe4 .*; save it as UTF-8"),
        (
            "t.csv",
            b"path,label\n" + b"".join(b"%d,cat\n" % i for i in range(9999)) + b"\xff,cat\n",
            "t.csv is not in UTF-8",
        ),
        ("t.csv", b"\xff\xfep\0a\0t\0h\0,\0l\0", "t.csv has no column 'label'"),
        ("t.csv", b"path,label\na\0.jpg,cat\n", r"row 1 of .*t.csv has a path with a character that is none, 'a.x00"),
        ("t.csv", b"path,label\na.jpg,cat\nb,c.jpg,dog\n", "row 2 of .*t.csv has 3 values, and the first line names 2"),
        ("t.csv", b'path,label\n"a.jpg,cat\nb.jpg,dog\n', "t.csv is malformed at line 3: unexpected end of data"),
        ("t.csv", b"path,label\n" + b"x" * 200000 + b",cat\n", "t.csv is malformed at line 2: field larger than"),
        ("t.csv", b"path,label,label\na.jpg,cat,dog\n", "t.csv has several columns 'label'"),
        ("t.csv", b"", "t.csv is empty"),
        ("t.csv", b"path,label\na.jpg\n", "row 1 of .* has no label"),
        ("t.jsonl", b"", "t.jsonl is empty"),
        ("t.jsonl", b'{"path": "a.jpg", "label": "cat"}\n[1]', r"line 2 of .*t.jsonl is no JSON object: '\[1\]'"),
        ("t.jsonl", b'{"path": "a.jpg", "label": "cat"}\n{"path": ', "line 2 of .*t.jsonl is no JSON object"),
        (
            "t.jsonl",
            b'{"path": "a.jpg", "label": ["cat"]}',
            "row 1 of .* has a label that is no text or number but a list",
        ),
        ("t.jsonl", b'{"path": "\\ud800.jpg", "label": "cat"}', "row 1 of .* has a path with a character that is none"),
        ("t.jsonl", b'{"path": "a.jpg", "label": "\xff"}', "t.jsonl is not in UTF-8"),
        ("t.jsonl", b"[" * 100000, "line 1 of .*t.jsonl is no JSON object"),
        ("t.parquet", b"PAR1 nothing", "t.parquet cannot be read as Parquet: "),
        ("t.parquet", b"", "t.parquet cannot be read as Parquet: "),
    ],
)
def test_files_that_are_no_tables_are_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        find(tmp_path / name)
    assert "\n" not in str(error.value)


def test_json_lines(tmp_path):
    rows = ({"file_name": "a.jpg", "label": "cat", "n": 1}, {"label": 7, "file_name": "b/c.jpg"})
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source, images = find(tmp_path / "t.jsonl")
    assert {key: image.domain for key, image in images.items()} == {"a.jpg": "cat", "b/c.jpg": "7"}
    assert source.notes == ("the column 'file_name' holds the paths, 'label' the labels",)


def test_labels_of_a_table_are_chosen(tmp_path):
    table = write_table(tmp_path / "t.csv", [{"path": f"{kind}.jpg", "label": kind} for kind in ("cat", "dog", "fox")])
    source, images = find(table, domain=["pet=cat", "fox"])
    assert source.domains == ("fox", "pet") and images.keys() == {"cat.jpg", "fox.jpg"}


def test_a_table_of_images_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "i.zip", "w") as archive:
        for name in ("pictures/a.jpg", "pictures/b/c.jpg", "pictures/other.jpg", "pictures/notes.txt"):
            archive.writestr(name, name)
    rows = [{"path": path, "label": path[0]} for path in ("a.jpg", "pictures/b/c.jpg", "missing.jpg")]
    source, images = find(write_table(tmp_path / "t.csv", rows), images=str(tmp_path / "i.zip"))
    assert read_image(images["a.jpg"].location, 99) == b"pictures/a.jpg"
    assert read_image(images["pictures/b/c.jpg"].location, 99) == b"pictures/b/c.jpg"
    with pytest.raises(OSError, match="No such file"):
        read_image(images["missing.jpg"].location, 99)
    assert source.ignored == {"files of the archive that no row names": 2}


def test_rows_that_are_left_out_are_counted_once(tmp_path):
    with zipfile.ZipFile(tmp_path / "i.zip", "w") as archive:
        for name in "abcd":
            archive.writestr(f"{name}.jpg", name)
    rows = [{"path": f"{name}.jpg", "label": name, "split": "test" if name == "c" else "train"} for name in "abc"]
    source, images = find(write_table(tmp_path / "t.csv", rows), images=str(tmp_path / "i.zip"), split_column="split")
    assert images.keys() == {"a.jpg", "b.jpg"}
    assert source.ignored == {"rows of split 'test'": 1, "files of the archive that no row names": 1}


def test_a_list_of_another_form_leaves_the_folders_to_be_domains(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.jpg").touch()
    write_table(tmp_path / "metadata.csv", [{"path": f"{kind}/1.jpg", "label": "x"} for kind in ("cat", "dog")])
    assert find(tmp_path)[0].domains == ("cat", "dog")


def make_image_folder(root, ending, splits=("train", "validation")):
    """A folder of images with lists of them, as Hugging Face's `imagefolder` has it."""
    for index, split in enumerate(splits):
        folder = root / split
        folder.mkdir(parents=True)
        rows = []
        for number, label in enumerate(("cat", "dog")):
            noise(16, 24, 10 * index + number).save(folder / f"{number}.png")
            rows.append({"file_name": f"{number}.png", "text": "a picture, of something", "label": label})
        noise(16, 24, 99 - index).save(folder / "unnamed.png")
        write_table(folder / f"metadata{ending}", rows)
    return root


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_folder_of_images_with_lists(tmp_path, ending):
    folder = make_image_folder(tmp_path / "in", ending)
    (folder / "README.md").touch()
    make_image_folder(folder, ending, ("test",))
    source, images = find(folder)
    assert {key: (image.domain, image.subset) for key, image in images.items()} == {
        "train/0.png": ("cat", "train"),
        "train/1.png": ("dog", "train"),
        "validation/0.png": ("cat", "val"),
        "validation/1.png": ("dog", "val"),
    }
    assert all(read_image(image.location, 9999) == (folder / key).read_bytes() for key, image in images.items())
    assert source.ignored == {
        "images that nothing names": 3,
        "other files": 1,
        "rows of files of other splits": 2,
    }
    assert source.notes[0] == "of the files, 1 called test, 1 called train, 1 called val; val is validation; 1 left out"


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_of_images_with_lists(tmp_path, ending, kind):
    folder = make_image_folder(tmp_path / "in" / "pets", ending)
    archive = shutil.make_archive(str(tmp_path / "pets"), kind, folder.parent)
    source, images = find(archive)
    assert {key: (image.domain, image.subset) for key, image in images.items()} == {
        f"pets/{split}/{number}.png": (domain, subset)
        for split, subset in (("train", "train"), ("validation", "val"))
        for number, domain in enumerate(("cat", "dog"))
    }
    assert all(read_image(image.location, 9999) == (folder.parent / key).read_bytes() for key, image in images.items())
    assert source.ignored == {"files of the archive that no row names": 4}


def test_one_list_for_a_folder(tmp_path):
    rows = [{"file_name": f"train/{kind}.jpg", "animal": kind} for kind in ("cat", "dog")]
    (tmp_path / "train").mkdir()
    write_table(tmp_path / "metadata.csv", rows)
    for kind in ("cat", "dog"):
        (tmp_path / "train" / f"{kind}.jpg").touch()
    _, images = find(tmp_path, label_column="animal")
    assert {key: (image.domain, image.subset) for key, image in images.items()} == {
        f"train/{kind}.jpg": (kind, "") for kind in ("cat", "dog")
    }


def test_a_list_without_labels_leaves_the_folders_to_be_domains(tmp_path):
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "1.jpg").touch()
    write_table(tmp_path / "metadata.csv", [{"file_name": f"{kind}/1.jpg", "text": "x"} for kind in ("cat", "dog")])
    assert find(tmp_path)[1].keys() == {"cat/1.jpg", "dog/1.jpg"}
