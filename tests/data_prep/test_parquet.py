import io
import json

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError
from tests.data_prep.hugging_face import numbered, write_shard
from tests.data_prep.jobs import noise, read_examples, read_images, run


def find(place, **options):
    """The source, and its images by key."""
    source = open_source(str(place), SourceOptions(**options), str(place).partition("*")[0] + ".work")
    return source, {image.key: image for image in source.images()}


def test_images_and_labels_of_a_file(tmp_path):
    images = [*numbered(0, 4), {"bytes": b"", "path": None}, {"bytes": None, "path": "beside.jpg"}]
    file = write_shard(tmp_path / "t.parquet", images, [0, 1, -1, 2, 1, 1])
    (tmp_path / "beside.jpg").write_bytes(b"beside")
    source, found = find(file)
    assert source.domains == ("cat", "dog")
    assert {key: (image.domain, read_image(image.location, 99)) for key, image in found.items()} == {
        "t.parquet/00000000": ("cat", b"0"),
        "t.parquet/00000001": ("dog", b"1"),
        "t.parquet/00000004": ("dog", b""),
        "t.parquet/00000005": ("dog", b"beside"),
    }
    assert source.ignored == {"rows without a label (-1)": 1, "rows with a label outside 0 to 1": 1}
    assert source.notes == ("the column 'image' holds the images, 'label' the labels",)


def test_labels_without_names_are_their_numbers_and_can_be_named(tmp_path):
    file = write_shard(tmp_path / "t.parquet", numbered(0, 3), [0, 1, 10], names=())
    assert find(file)[0].domains == ("0", "1", "10")
    assert find(file, domain=("cat=0", "dog=1*"))[0].domains == ("cat", "dog")


def test_only_images_of_chosen_labels_are_copied(tmp_path):
    file = write_shard(tmp_path / "t.parquet", numbered(0, 6), [0, 1, 2] * 2, names=("cat", "dog", "fox"))
    source, images = find(file, domain=("cat", "wild=fox"))
    assert [read_image(image.location, 9) for image in images.values()] == [b"0", b"2", b"3", b"5"]
    assert source.ignored == {"images of labels that no --domain names": 2}
    assert (tmp_path / "t.parquet.work" / "images-000000").read_bytes() == b"0235"


def test_columns_under_other_names_are_found(tmp_path):
    source, _ = find(write_shard(tmp_path / "t.parquet", numbered(0, 2), [0, 1], column="animal"))
    assert source.domains == ("cat", "dog")
    assert source.notes == ("the column 'image' holds the images, 'animal' the labels",)


def test_images_that_are_plain_bytes(tmp_path):
    rows = [{"jpg": b"1", "label": "cat"}, {"jpg": b"2", "label": "dog"}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    _, images = find(tmp_path / "t.parquet")
    assert [read_image(image.location, 9) for image in images.values()] == [b"1", b"2"]
    rows = [{**row, "path": f"{index}.jpg"} for index, row in enumerate(rows)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert find(tmp_path / "t.parquet")[1].keys() == {"0.jpg", "1.jpg"}  # as before there could be images in tables
    assert find(tmp_path / "t.parquet", path_column="jpg")[1].keys() == {"t.parquet/00000000", "t.parquet/00000001"}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"image": [{"bytes": b"1", "path": ""}], "mood": ["a"]},
            "has no column 'label'; it has 'image', 'mood'; name",
        ),
        ({"a": [b"1"], "b": [b"2"], "label": ["a"]}, "has several columns of images, a, b; name one by --path_column"),
        ({"label": ["a"], "image": [[1, 2]]}, "has no column 'path'; it has 'label', 'image'"),
        ({"image": [{"bytes": b"1", "path": ""}], "label": [None]}, "row 1 of .* has no label"),
        ({"image": [{"bytes": b"1", "path": ""}], "label": [float("nan")]}, "row 1 of .* has no label"),
        ({"image": [{"bytes": b"1", "path": ""}], "label": [["a"]]}, "row 1 .* a label that is no text or number"),
    ],
)
def test_what_is_missing_is_named(tmp_path, columns, message):
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=message):
        find(tmp_path / "t.parquet")


def test_a_file_that_is_damaged_after_its_schema_is_one_sentence(tmp_path):
    file = write_shard(tmp_path / "t.parquet", numbered(0, 1000), [0, 1] * 500)
    content = bytearray(file.read_bytes())
    content[4:2000] = b"\xff" * 1996
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"t.parquet cannot be read as Parquet"):
        find(file)


def make_shards(root):
    for name, start in (("train-00000-of-00002", 0), ("train-00001-of-00002", 2), ("validation-00000-of-00001", 4)):
        write_shard(root / "data" / f"{name}.parquet", numbered(start, 2), [0, 1])
    write_shard(root / "data" / "test-00000-of-00001.parquet", numbered(9, 3), [-1, -1, -1])
    (root / "README.md").touch()
    return root


@pytest.mark.parametrize("place", ["", "data/*.parquet", "data/{train,validation,test}-*.parquet"])
def test_a_folder_of_shards(tmp_path, place):
    source, images = find(f"{make_shards(tmp_path)}/{place}" if place else make_shards(tmp_path))
    prefix = "" if place else "data/"
    assert {key: (image.domain, image.subset, read_image(image.location, 9)) for key, image in images.items()} == {
        f"{prefix}train-00000-of-00002.parquet/00000000": ("cat", "train", b"0"),
        f"{prefix}train-00000-of-00002.parquet/00000001": ("dog", "train", b"1"),
        f"{prefix}train-00001-of-00002.parquet/00000000": ("cat", "train", b"2"),
        f"{prefix}train-00001-of-00002.parquet/00000001": ("dog", "train", b"3"),
        f"{prefix}validation-00000-of-00001.parquet/00000000": ("cat", "val", b"4"),
        f"{prefix}validation-00000-of-00001.parquet/00000001": ("dog", "val", b"5"),
    }
    assert source.ignored == {"rows of files of other splits": 3} | ({} if place else {"other files": 1})
    assert source.notes[0] == "of the files, 1 called test, 2 called train, 1 called val; val is validation; 1 left out"


def test_test_is_validation_when_asked(tmp_path):
    for split in ("train", "test"):
        write_shard(tmp_path / f"{split}-00000-of-00001.parquet", numbered(0, 2), [0, 1])
    with pytest.raises(UserError, match="--val_split test validates on those for testing, and --val_split hash leaves"):
        find(tmp_path)
    assert sorted(image.subset for image in find(tmp_path, val_split="test")[1].values()) == ["train"] * 2 + ["val"] * 2
    assert [image.subset for image in find(tmp_path, val_split="hash")[1].values()] == ["", ""]
    with pytest.raises(UserError, match=r"--val_split is val, and no file in .* is called like that split"):
        find(tmp_path, val_split="val")


def test_tables_of_several_folders_are_several_data_sets(tmp_path):
    for folder in ("small", "large"):
        write_shard(tmp_path / folder / "train-00000-of-00001.parquet", numbered(0, 2), [0, 1])
    with pytest.raises(UserError, match="has tables in several folders, large, small; name one of them as the input"):
        find(tmp_path)


def test_folders_name_splits_too(tmp_path):
    for split in ("train", "test", "validation"):  # as the Hub converts data sets
        write_shard(tmp_path / "default" / split / "0000.parquet", numbered(0, 2), [0, 1])
    source, images = find(tmp_path)
    assert {key.split("/")[1]: image.subset for key, image in images.items()} == {"train": "train", "validation": "val"}
    assert source.ignored == {"rows of files of other splits": 2}


@pytest.mark.slow
def test_the_job_writes_what_is_in_the_table(tmp_path, capsys):
    encoded = []
    for index in range(8):
        data = io.BytesIO()
        noise(16, 24, index).save(data, "png")
        encoded.append({"bytes": data.getvalue(), "path": None})
    encoded += [{"bytes": b"no image", "path": "8.jpg"}]
    file = write_shard(tmp_path / "t.parquet", encoded, [0, 1] * 4 + [1])
    assert run(file, tmp_path / "out", "--val_fraction", "0", "--max_rejected", "0.2") == 0
    images = read_images(tmp_path / "out")
    assert len(images) == 8 and sorted(p.name for p in (tmp_path / "out").iterdir() if p.name.startswith("work")) == []
    for index, (key, pixels) in enumerate(sorted(images.items())):
        assert key == f"t.parquet/{index:08d}"
        np.testing.assert_array_equal(pixels, Image.open(io.BytesIO(encoded[index]["bytes"])))
    assert {split for split, _ in read_examples(tmp_path / "out")} == {"train_cat", "train_dog"}
    (rejected,) = (json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines())
    assert rejected["path"] == "t.parquet/00000008"


@pytest.mark.parametrize(("column", "most"), [("path", 2**20), ("image", 2**23)])
def test_memory_is_bounded_by_a_few_rows(tmp_path, column, most):
    """All columns of 65,536 rows were read at once. Now a page is, as large as the file's writer made it."""
    random, file, rows = np.random.default_rng(0), tmp_path / "t.parquet", 300
    columns = {
        "path": [f"{row}.jpg" for row in range(rows)],
        "image": [random.bytes(100_000) for _ in range(rows)],
        "label": ["cat", "dog"] * (rows // 2),
    }
    parquet.write_table(pyarrow.table(columns), file, write_batch_size=10)
    del columns
    allocated = []
    before = pyarrow.total_allocated_bytes()
    for image in open_source(str(file), SourceOptions(path_column=column), str(tmp_path)).images():
        allocated.append(pyarrow.total_allocated_bytes() - before)
        assert image.domain in ("cat", "dog")
    assert len(allocated) == rows and max(allocated) < most
