"""Whatever form a list of images has: what is listed plus what is ignored is what is there."""

import random
import zipfile

import pytest

from data_prep.sources import SourceOptions, find_examples, open_source, read_image
from tests.data_prep.hugging_face import write_shard
from tests.data_prep.test_tables import write_table
from tests.data_prep.test_tfds_source import write_data_set
from tests.data_prep.test_webdataset import write_tar

LABELS = ("cat", "dog", "fox")
SPLITS = ("train", "validation", "test")


def content(number: int) -> bytes:
    return f"image {number}".encode()


def make_table(folder, rows, random):
    """Rows in a file, with images in a folder or an archive; the number of files that no row names."""
    options = {"split_column": "split"}
    columns = [{"path": f"{n}.jpg", "label": label, "split": split} for n, label, split in rows]
    table = write_table(folder / f"t{random.choice(('.csv', '.tsv', '.jsonl', '.parquet'))}", columns)
    if random.random() < 0.5:
        others = random.randrange(3)
        with zipfile.ZipFile(folder / "i.zip", "w") as archive:
            for n in range(len(rows) + others):
                archive.writestr(f"in/{n}.jpg", content(n))
        return table, options | {"images": str(folder / "i.zip")}, others
    for n, _, _ in rows:
        (folder / f"{n}.jpg").write_bytes(content(n))
    return table, options, 0


def by_split(rows):
    return {split: [row for row in rows if row[2] == split] for split in SPLITS}


def make_image_folder(folder, rows, random):
    """A list in the folder of each split."""
    ending, others = random.choice((".csv", ".jsonl", ".parquet")), random.randrange(3)
    for split, part in by_split(rows).items():
        (folder / split).mkdir()
        for n, _, _ in part:
            (folder / split / f"{n}.jpg").write_bytes(content(n))
        write_table(
            folder / split / f"metadata{ending}", [{"file_name": f"{n}.jpg", "label": label} for n, label, _ in part]
        )
    for n in range(others):
        (folder / random.choice(("", "train")) / f"other{n}.png").touch()
    return folder, {}, others


def make_parquet(folder, rows, random):
    """Shards of Parquet with the images in them, some without a label."""
    for split, part in by_split(rows).items():
        images = [{"bytes": content(n), "path": f"{n}.jpg"} for n, _, _ in part]
        labels = [LABELS.index(label) for _, label, _ in part]
        write_shard(folder / "data" / f"{split}-00000-of-00001.parquet", images, labels, LABELS)
    (folder / "README.md").touch()
    return folder, {}, 1


def make_webdataset(folder, rows, random):
    """Shards of WebDataset."""
    for split, part in by_split(rows).items():
        members = {}
        for n, label, _ in part:
            members |= {f"{n}.jpg": content(n), f"{n}.cls": label.encode()}
        write_tar(folder / f"{split}-000.tar", members)
    return folder, {}, 0


def make_tfds(folder, rows, random):
    """A directory of TensorFlow Datasets."""
    splits = {
        split: [(content(n), LABELS.index(label)) for n, label, _ in part] for split, part in by_split(rows).items()
    }
    return write_data_set(folder / "1.0.0", splits, LABELS), {}, 0


@pytest.mark.parametrize("make", [make_table, make_image_folder, make_parquet, make_webdataset, make_tfds])
@pytest.mark.parametrize("seed", range(8))
def test_all_is_listed_or_ignored(tmp_path, make, seed):
    source_of_chance = random.Random(seed)
    cases = [(label, split) for label in LABELS for split in SPLITS]  # each at least once
    cases += [(source_of_chance.choice(LABELS), source_of_chance.choice(SPLITS)) for _ in range(10)]
    rows = [(number, *case) for number, case in enumerate(cases)]
    (tmp_path / "in").mkdir()
    place, options, others = make(tmp_path / "in", rows, source_of_chance)
    val_split = source_of_chance.choice((None, "val", "test", "hash"))
    rules = source_of_chance.choice(((), ("cat", "dog"), ("pet=cat", "pet=dog", "wild=fox"), ("x=?o?", "cat")))
    domain_of = {
        (): {label: label for label in LABELS},
        ("cat", "dog"): {"cat": "cat", "dog": "dog"},
        ("pet=cat", "pet=dog", "wild=fox"): {"cat": "pet", "dog": "pet", "fox": "wild"},
        ("x=?o?", "cat"): {"cat": "cat", "dog": "x", "fox": "x"},
    }[rules]
    subset_of = {
        None: {"train": "train", "validation": "val"},
        "val": {"train": "train", "validation": "val"},
        "test": {"train": "train", "test": "val"},
        "hash": {"train": ""},
    }[val_split]
    source = open_source(
        str(place), SourceOptions(domain=rules, val_split=val_split, **options), str(tmp_path / "work")
    )
    images = list(source.images())
    ignored = source.ignored.copy()
    if source.example_format:
        images = [image for file in images for image in find_examples(file, source.example_format, ignored)]
    found = {(read_image(image.location, 99, source.example_format), image.domain, image.subset) for image in images}
    assert found == {
        (content(number), domain_of[label], subset_of[split])
        for number, label, split in rows
        if label in domain_of and split in subset_of
    }
    assert len({image.key for image in images}) == len(images)
    assert len(images) + ignored.total() == len(rows) + others
