"""Random trees of domains, splits and names, on a disk and in archives: everything there is listed or counted.

Trees of one plan, of which it is known what each file is, are told from trees of any folders, which may be refused.
"""

import io
import json
import os
import re
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st
from PIL import Image

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import read_images, read_lines, run

TRAIN, VAL, TEST = ("train", "Training", "TRAIN_SET"), ("val", "valid", "Validation", "VAL"), ("test", "Testing")
DOMAINS = (
    "cat",
    "Cat",
    "CAT",
    "café",
    "cafe\u0301",
    "a b",
    "v1.0",
    "犬",
    "t-shirt",
    "x",
    "data",
    "données",
    "été 2",
    "ß",
)
HIDDEN = (".git", ".DS_Store", "__MACOSX", "@eaDir", ".hidden")
IMAGES = ("1.jpg", "2.PNG", "a b.jpeg", "ü.webp", "x.y.tif", "..jpg.bmp", "IMG_1 (2).JPG")  # One of them is hidden.
OTHERS = ("notes.txt", "README", "Thumbs.db", "x.json", "no.jpg.part", ".hidden.jpg", "._1.jpg")
KINDS = ("folder", "zip", "tar", "tar.gz")

# Always the same trees, so that a failure is not one of chance; `--hypothesis-seed` draws others.
QUICK = settings(max_examples=60, deadline=None, database=None, derandomize=True)


def make(directory, kind, names, content=str.encode):
    """Writes files, by default with their names as content, into a folder or an archive in a directory."""
    place = Path(directory) / ("i" if kind == "folder" else f"i.{kind}")
    if kind == "folder":
        place.mkdir()
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content(name))
    elif kind == "zip":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, content(name))
    else:
        with tarfile.open(place, "w:gz" if kind.endswith("gz") else "w") as archive:
            for name in names:
                member = tarfile.TarInfo(f"./{name}")
                member.size = len(content(name))
                archive.addfile(member, io.BytesIO(content(name)))
    return place


def count_entries(place, names):
    """How many files there are; all those in a hidden folder of a disk are one."""
    if place.is_file():
        return len(names)
    count = 0
    for _, folders, inside in os.walk(place):
        count += len(inside) + sum(1 for folder in folders if folder.startswith("."))
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
    return count


def is_visible(name):
    return not any(part.startswith(".") or part in HIDDEN for part in name.split("/"))


def without_conflicts(names):
    """Leaves out files whose name is that of a folder, too."""
    folders = {name[: match.start()] for name in names for match in re.finditer("/", name)}
    return sorted(set(names) - folders)


def letters(domain):
    """What domains must differ in."""
    return re.sub(r"\W", "_", unicodedata.normalize("NFC", domain))


@st.composite
def planned_trees(draw):
    """Names of files, by which of them are images their domain and subset, and which split is asked for."""
    plan = draw(st.sampled_from(("domain", "split/domain", "domain/split", "split/split/domain", "joined")))
    # `train_data` means no domain called data.
    possible = [domain for domain in DOMAINS if plan != "joined" or domain != "data"]
    domains = draw(st.lists(st.sampled_from(possible), min_size=2, max_size=4, unique_by=letters))
    has_val, has_test = (draw(st.booleans()) for _ in range(2)) if plan != "joined" else (True, False)
    parts = [("train", draw(st.sampled_from(TRAIN if plan != "joined" else ("train", "training_"))))]
    if plan != "domain":
        parts += [("val", draw(st.sampled_from(VAL)))] if has_val or plan == "domain/split" else []
        parts += [("test", draw(st.sampled_from(TEST)))] if has_test else []
    names_of_parts = {part for part, _ in parts}
    asked = "test" if "test" in names_of_parts and "val" not in names_of_parts else None
    if names_of_parts > {"train"} and draw(st.booleans()):
        asked = draw(st.sampled_from([*sorted(names_of_parts - {"train"}), "hash"]))
    val = asked or ("val" if "val" in names_of_parts else "hash")
    root = draw(st.sampled_from(("", "", "pets/", "re-po main/päts/")))
    expected = {}
    for part, called in parts:
        subset = {"train": "" if val == "hash" else "train", val: "val"}.get(part)
        # Training has every domain, other splits any of them.
        for domain in domains if part == "train" else draw(st.lists(st.sampled_from(domains), min_size=1, unique=True)):
            folder = {
                "domain": domain,
                "split/domain": f"{called}/{domain}",
                "domain/split": f"{domain}/{called}",
                "split/split/domain": f"{called}/{called}/{domain}",
                "joined": f"{called}{'' if called.endswith('_') else '_'}{domain}",
            }[plan]
            for image in draw(st.lists(st.sampled_from(IMAGES), min_size=1, max_size=3, unique=True)):
                deeper = draw(st.sampled_from(("", "", "deep/", "d 1/train/"))) if plan != "joined" else ""
                name = f"{root}{folder}/{deeper}{image}"
                expected[name] = (unicodedata.normalize("NFC", domain), subset) if is_visible(name) else None
            expected.setdefault(f"{root}{folder}/first.jpg", (unicodedata.normalize("NFC", domain), subset))
    for other in draw(st.lists(st.sampled_from(OTHERS), max_size=3)):
        expected[draw(st.sampled_from(("", root))) + other] = None
    for hidden in draw(st.lists(st.sampled_from(HIDDEN), max_size=2)):
        expected[f"{hidden}/cat/1.jpg"] = None
    return expected, asked


@pytest.mark.slow
@QUICK
@given(planned_trees(), st.sampled_from(KINDS))
def test_trees_of_a_plan_are_read_by_it(tree, kind):
    expected, asked = tree
    names = sorted(expected)
    listed = {name: placed for name, placed in expected.items() if placed and placed[1] is not None}
    with tempfile.TemporaryDirectory() as directory:
        place = make(directory, kind, names)
        source = open_source(str(place), SourceOptions(val_split=asked), f"{directory}/work")
        images = list(source.images())
        assert {image.key: (image.domain, image.subset) for image in images} == listed
        assert len(images) == len(listed)
        for image in images:
            assert read_image(image.location, 1000) == image.key.encode()
        assert len(images) + sum(source.ignored.values()) == count_entries(place, names)
    assert source.domains == tuple(sorted({domain for domain, _ in filter(None, expected.values())}))


FOLDERS = st.sampled_from((*TRAIN, *VAL, *TEST, *DOMAINS, *HIDDEN, "trainA", "trainB", "testA"))
FILES = st.sampled_from((*IMAGES, *OTHERS, "\udcff.jpg", "x.\udcff", "y.\x1b[31m")) | st.text(
    st.characters(exclude_characters="/\0\\", codec="utf-8"), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..")).map(lambda name: f"{name}.jpg")
PATHS = st.tuples(st.lists(FOLDERS, max_size=3), FILES).map(lambda parts: "/".join([*parts[0], parts[1]]))
# Few trees of any folders at all fit together; something that does is there beside them.
SOUND = st.sampled_from(((), ("cat/1.jpg", "犬/2.jpg"), ("train/cat/1.jpg", "train/x/2.jpg", "val/cat/3.jpg")))
TREES = st.tuples(SOUND, st.lists(PATHS, max_size=6)).map(lambda parts: without_conflicts([*parts[0], *parts[1]]))


@pytest.mark.slow
@QUICK
@given(TREES, st.sampled_from(KINDS), st.sampled_from((None, None, None, "test", "hash")))
def test_trees_of_any_folders_are_counted_or_refused(names, kind, val_split):
    names = [name for name in names if kind in ("folder", "tar") or "\udcff" not in name]
    with tempfile.TemporaryDirectory() as directory:
        place = make(directory, kind, names, os.fsencode)
        try:
            source = open_source(str(place), SourceOptions(val_split=val_split), f"{directory}/work")
        except UserError as error:
            event("refused")
            assert "\n" not in str(error)
            return
        event("taken")
        assert all(text.isprintable() for text in (*source.notes, *source.ignored))
        images = list(source.images())
        files = [read_image(image.location, 1000) for image in images]
        assert len(files) == len(set(files)) and set(files) <= set(map(os.fsencode, names))
        assert len(images) + sum(source.ignored.values()) == count_entries(place, names)
        assert all(is_visible(os.fsdecode(name)) for name in files)
        assert {image.domain for image in images} <= set(source.domains)
        assert {image.subset for image in images} in ({""}, {"train"}, {"val"}, {"train", "val"})


@pytest.mark.slow
@QUICK
@given(st.data())
def test_links_in_a_tar_are_counted_as_files(data):
    """Links to any name: a file, a folder, another link, themselves, nothing."""
    names = without_conflicts(["cat/1.jpg", "dog/2.jpg", *data.draw(TREES)])
    names = [name for name in names if "\udcff" not in name and name.split("/")[0] in ("cat", "dog")]
    links = {
        f"{data.draw(st.sampled_from(('cat', 'dog')))}/link{index}.jpg": data.draw(
            st.sampled_from((*names, "cat", "..", "../../x.jpg", "/etc/hosts", f"cat/link{index}.jpg", "dog/link0.jpg"))
        )
        for index in range(data.draw(st.integers(0, 5)))
    }
    with tempfile.TemporaryDirectory() as directory:
        place = make(directory, "tar", names)
        with tarfile.open(place, "a") as archive:
            for name, target in links.items():
                member = tarfile.TarInfo(name)
                member.type = data.draw(st.sampled_from((tarfile.LNKTYPE, tarfile.SYMTYPE)))
                member.linkname = target if member.type == tarfile.LNKTYPE else f"../{target}"
                archive.addfile(member)
        try:
            source = open_source(str(place), SourceOptions(), f"{directory}/work")
        except UserError:
            return
        images = list(source.images())
        assert len(images) + sum(source.ignored.values()) == len(names) + len(links)
        for image in images:
            assert read_image(image.location, 1000).decode() in names


def picture(name):
    """An image, damaged in one of eleven; the same for two names in each folder, and for some by chance."""
    seed = zlib.crc32(name.replace("more1", "more0").encode()) % 500
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)).save(file, "PNG")
    return file.getvalue() if seed % 11 else file.getvalue()[:-30]


@pytest.mark.slow
@settings(QUICK, max_examples=3, phases=[Phase.generate])
@given(planned_trees(), st.sampled_from(KINDS))
def test_the_job_writes_or_lists_all_that_is_there(tree, kind):
    expected, asked = tree
    names = sorted(expected)
    # Enough of each domain to keep one for training, whatever a hash chooses.
    names += [
        f"{name.rpartition('/')[0]}/more{n}.png" for name in names if name.endswith("first.jpg") for n in range(9)
    ]
    with tempfile.TemporaryDirectory() as directory:
        place = make(directory, kind, names, picture)
        output = Path(directory) / "o"
        flags = ["--max_rejected", "1", "--conflicts", "drop", *([f"--val_split={asked}"] if asked else [])]
        assert run(place, output, *flags) == 0
        statistics = json.loads((output / "statistics.json").read_text())
        rejected, duplicates = (
            [entry["path"] for entry in read_lines(output / f"{kind}.jsonl")] for kind in ("rejected", "duplicates")
        )
        told = [*read_images(output), *rejected, *duplicates]
        assert len(told) == len(set(told)) and set(told) <= set(names) and duplicates
        assert len(told) + sum(statistics["ignored"].values()) == count_entries(place, names)
