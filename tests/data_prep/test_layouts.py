"""Folders of domains and splits as people have them, on a disk and in archives."""

import os
import re
import tarfile
import zipfile

import pytest

from data_prep.sources import SourceOptions, open_source
from data_prep.sources.split_names import split_of
from stargan_tf.base.errors import UserError
from tests.data_prep.jobs import noise, run


def make(place, paths):
    """A folder, or an archive if its name is that of one, of files whose content is their path."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place, "w") as archive:
            for path in paths:
                archive.writestr(path, path)
        return place
    folder = place.with_suffix(".folder") if place.suffix else place
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(os.fsencode(path))
    if place.suffix:
        with tarfile.open(place, "w") as archive:
            archive.add(folder, ".")
    return place


def find(place, **options):
    """Domain and subset of each image, and the source."""
    source = open_source(str(place), SourceOptions(**options), str(place) + ".work")
    return {image.key: (image.domain, image.subset) for image in source.images()}, source


def pairs(*parts):
    """Paths of an image of a cat and one of a dog in each folder."""
    return [f"{part}/{domain}/{index}.jpg" for index, part in enumerate(parts) for domain in ("cat", "dog")]


PLACES = pytest.mark.parametrize("name", ["pets", "pets.zip", "pets.tar"])


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((name, "train") for name in ("train", "TRAIN", "training", "Training", "train_set", "training-images")),
        *((name, "val") for name in ("val", "Valid", "validation", "VALIDATION", "dev", "val_data")),
        *((name, "test") for name in ("test", "Testing", "test_set", "eval", "evaluation")),
        *((name, None) for name in ("trains", "invalid", "contest", "set", "", "trainA", "value", "tests", "data")),
    ],
)
def test_usual_names_of_splits(name, split):
    assert split_of(name) == split


@PLACES
@pytest.mark.parametrize(
    ("train", "val"),
    [
        *(("train", "val"), ("train", "validation"), ("train", "valid"), ("training", "validation"), ("TRAIN", "VAL")),
        *(
            ("train2017", "val2017"),
            ("pets-Train", "pets-Valid"),
            ("1_train", "2_val"),
            ("01 training", "02 validation"),
        ),
        *(("Train", "Dev"), ("training_set/training_set", "val_set/val_set"), ("Training Images", "Validation Images")),
    ],
)
def test_splits_are_known_by_their_usual_names_and_said(tmp_path, name, train, val):
    images, source = find(make(tmp_path / name, pairs(train, val)))
    assert source.domains == ("cat", "dog") and not source.ignored
    assert set(images.items()) == {
        (f"{part}/{domain}/{index}.jpg", (domain, subset))
        for index, (part, subset) in enumerate(((train, "train"), (val, "val")))
        for domain in ("cat", "dog")
    }
    train, val = train.partition("/")[0], val.partition("/")[0]
    assert source.notes == (f"training images are those in {train!r}, validation images those in {val!r}",)


@PLACES
def test_splits_below_each_domain(tmp_path, name):
    paths = ["cat/train/1.jpg", "cat/Val/deep/2.jpg", "dog/training/3.jpg", "dog/val/4.jpg", "dog/5.jpg"]
    images, source = find(make(tmp_path / name, paths))
    assert images == {
        "cat/train/1.jpg": ("cat", "train"),
        "cat/Val/deep/2.jpg": ("cat", "val"),
        "dog/training/3.jpg": ("dog", "train"),
        "dog/val/4.jpg": ("dog", "val"),
    }
    assert source.ignored == {"images outside the folders of domains": 1}
    assert source.notes == (
        "training images are those in 'train' and 'training', validation images those in 'Val' and 'val'",
    )


def test_splits_and_domains_joined_in_one_name(tmp_path):
    """As CycleGAN's data sets have them, in a folder that is named after the data set."""
    paths = [f"horse2zebra/{split}{domain}/1.jpg" for split in ("train", "test") for domain in "AB"]
    images, source = find(make(tmp_path / "h.zip", paths), val_split="test")
    assert source.domains == ("A", "B") and not source.ignored
    assert images == {path: (path.split("/")[1][-1], "val" if "test" in path else "train") for path in paths}
    assert source.notes == (
        "all domains are in the folder 'horse2zebra/'",
        "training images are those in 'trainA' and 'trainB', validation images those in 'testA' and 'testB'",
    )


@pytest.mark.parametrize("form", ["{split}{domain}", "{domain}_{split}", "{split} - {domain}", "{split}.{domain}"])
def test_other_ways_to_join_splits_and_domains(tmp_path, form):
    paths = {
        f"{form.format(split=split, domain=domain)}/1.jpg": (domain, {"Training": "train", "Val": "val"}[split])
        for split in ("Training", "Val")
        for domain in ("Cat", "Big dog", "3")
    }
    images, source = find(make(tmp_path / "i", paths))
    assert images == paths and not source.ignored


@PLACES
def test_test_is_left_out_beside_val_and_read_when_asked(tmp_path, name):
    place = make(tmp_path / name, pairs("train", "val", "test"))
    images, source = find(place)
    assert {subset for _, subset in images.values()} == {"train", "val"} and len(images) == 4
    assert source.ignored == {"images of the split 'test'": 2}
    assert source.notes[0].endswith("'val'; left out: 'test' (--val_split test takes it for validation)")
    images, source = find(place, val_split="test")
    assert {key: subset for key, (_, subset) in images.items() if subset == "val"}.keys() == {
        "test/cat/2.jpg",
        "test/dog/2.jpg",
    }
    assert len(images) == 4 and source.ignored == {"images of the split 'val'": 2}
    images, source = find(place, val_split="hash")
    assert {key: subset for key, (_, subset) in images.items()} == {"train/cat/0.jpg": "", "train/dog/0.jpg": ""}
    assert sum(source.ignored.values()) == 4


@pytest.mark.parametrize(("split", "options"), [("test", {}), ("val", {"val_split": "hash"})])
def test_a_split_without_labels_is_counted(tmp_path, split, options):
    images, source = find(make(tmp_path / "pets", [*pairs("train"), f"{split}/1.jpg", f"{split}/2.jpg"]), **options)
    assert {subset for _, subset in images.values()} == {""} and len(images) == 2
    assert source.ignored == {f"images of the split {split!r}": 2}
    assert "--val_split" not in source.notes[0]  # since it could not


def test_folders_beside_those_of_splits_are_named(tmp_path):
    images, source = find(make(tmp_path / "i", [*pairs("train", "val", "copies"), "5.jpg"]))
    assert len(images) == 4
    assert source.ignored == {
        "images in the folder 'copies', which is no split": 2,
        "images outside the folders of domains": 1,
    }


@PLACES
def test_the_same_folders_in_every_domain_are_said(tmp_path, name):
    """Masks beside images, for instance, which are no images of the domain."""
    paths = [f"{domain}/{folder}/1.jpg" for domain in ("ill", "well") for folder in ("images", "masks")]
    images, source = find(make(tmp_path / name, paths))
    assert len(images) == 4
    assert source.notes == ("every domain has the folders 'images' and 'masks', whose images are all taken",)
    _, source = find(make(tmp_path / f"other-{name}", [*paths, "third/images/1.jpg"]))
    assert not source.notes
    _, source = find(
        make(tmp_path / f"split-{name}", [f"{split}/{path}" for split in ("train", "val") for path in paths])
    )
    assert source.notes[1:] == ("every domain has the folders 'images' and 'masks', whose images are all taken",)


def test_domains_that_only_case_tells_apart_are_said(tmp_path):
    (tmp_path / "t.csv").write_text("path,label\n1.jpg,cat\n2.jpg,Cat\n3.jpg,dog\n")
    for place in (tmp_path / "t.csv", make(tmp_path / "i", ["cat/1.jpg", "Cat/2.jpg", "dog/3.jpg"])):
        assert open_source(str(place), SourceOptions(), "").notes == (
            "'Cat' and 'cat' are domains of their own, though only case tells them apart; --domain NAME=LABEL joins "
            "them",
        )


@pytest.mark.parametrize(
    ("paths", "options", "message"),
    [
        (
            pairs("train", "test"),
            {},
            "for training ('train') and for testing ('test'), but none for validation: --val_split test validates",
        ),
        (pairs("train", "val"), {"val_split": "test"}, "--val_split is test, and no folder of domains in "),
        (pairs("."), {"val_split": "test"}, "--val_split is test, and --input "),
        (pairs("test"), {}, "has a folder test but no images in one called train"),
        (pairs("valid", "Test"), {}, "has a folder Test but no images in one called train"),
        ([*pairs("val"), *pairs(".")], {}, "has a folder val but no images in one called train"),
        (["train2017/1.jpg", "val2017/2.jpg"], {}, "/train2017 is called like a split but holds images"),
        (
            ["train/1.jpg", "val/2.jpg", "labels.csv"],
            {},
            "/train is called like a split but holds images; it should hold a folder for each domain, or a table that "
            "lists the images can be the input",
        ),
        (
            [*pairs("train"), "val/2.jpg"],
            {},
            "{}/val is called like a split but holds images; it should hold a folder for each domain; --val_split hash "
            "leaves it out",
        ),
        (pairs("train", "Training", "val"), {}, "'Training' and 'train' in "),
        (pairs("train", "val", "validation"), {}, "'val' and 'validation' in "),
        (
            ["train/Cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg"],
            {},
            "but not in {}/train, which has 'Cat' and 'dog'; the domains of training must cover it",
        ),
        (
            ["cat/train/1.jpg", "cat/valid/1.jpg", "dog/train/2.jpg", "dog/x/3.jpg"],
            {},
            "/dog has 'train' and 'x'; every",
        ),
        (["cat/train/1.jpg", "cat/val/2.jpg", "dog/3.jpg"], {}, "/cat has folders 'train' and 'val' that look like"),
        (["cat/train/1.jpg", "cat/val/2.jpg", "dog/val/3.jpg"], {}, "every domain should have a folder train"),
        (["cat/train/1.jpg", "cat/val/2.jpg", "cat/valid/2.jpg", "dog/train/3.jpg"], {}, "'val' and 'valid' in {}/cat"),
        (
            [f"{name}/{path}" for name in ("pets", "faces") for path in pairs("train", "val")],
            {},
            "'faces' and 'pets' in {} each have splits with folders of the same names, as data sets of their own",
        ),
        (
            ["trainA/1.jpg", "trainB/1.jpg", "valA/1.jpg", "valC/1.jpg"],
            {},
            "domain 'C' has images in {} for validation",
        ),
    ],
)
def test_what_looks_like_splits_and_does_not_fit_is_a_sentence(tmp_path, paths, options, message):
    place = make(tmp_path / "i", paths)
    with pytest.raises(UserError, match=re.escape(message.format(place))):
        find(place, **options)


@pytest.mark.parametrize(
    "paths",
    [
        ["train/1.jpg", "car/2.jpg", "plane/3.jpg"],  # vehicles
        ["valid/1.jpg", "invalid/2.jpg"],
        ["test/1.jpg", "control/deep/2.jpg"],
        ["cat/train/1.jpg", "dog/train/2.jpg"],
        ["cat/test/1.jpg", "dog/2.jpg"],
        ["trainers/1.jpg", "testers/2.jpg"],
        ["trainA/1.jpg", "trainB/2.jpg"],
        ["TRAINERS/1.jpg", "TESTERS/2.jpg"],
        ["toy train/1.jpg", "steam train/2.jpg"],
        ["pets_train/1.jpg", "faces_val/2.jpg"],
    ],
)
def test_domains_may_be_called_like_splits(tmp_path, paths):
    images, source = find(make(tmp_path / "i", paths))
    assert images == {path: (path.split("/")[0], "") for path in paths}
    assert not source.ignored and not source.notes


@PLACES
@pytest.mark.parametrize("root", ["afhq", "repository-main/data/pets", "a.b c/ä"])
@pytest.mark.parametrize("parts", [("train", "val"), (".",)])
def test_one_folder_around_everything_is_entered_and_said(tmp_path, name, root, parts):
    paths = [f"{root}/{path}".replace("/./", "/") for path in pairs(*parts)]
    images, source = find(make(tmp_path / name, [*paths, "README.md"]))
    assert source.domains == ("cat", "dog") and images.keys() == set(paths)
    assert {subset for _, subset in images.values()} == ({"train", "val"} if len(parts) == 2 else {""})
    assert source.notes[0] == f"all domains are in the folder {f'{root}/'!r}" and source.ignored == {
        "files ending in .md": 1
    }


def test_attributes_in_one_folder_around_everything(tmp_path):
    make(tmp_path / "i", [f"pets/{path}" for path in pairs("train")])
    (tmp_path / "i" / "pets" / "attributes.jsonl").write_text('{"path": "train/cat/0.jpg", "attributes": {"hue": 1}}')
    source = open_source(str(tmp_path / "i"), SourceOptions(), "")
    assert {image.key: image.attributes for image in source.images()}["pets/train/cat/0.jpg"] == '{"hue": 1}'
    assert not source.ignored


@pytest.mark.parametrize("paths", [["cat/a/1.jpg", "cat/2.jpg"], ["cat/a/1.jpg"], ["cat/train/1.jpg"]])
def test_one_domain_with_folders_in_it_is_not_entered(tmp_path, paths):
    with pytest.raises(UserError, match="only one domain, 'cat'"):
        find(make(tmp_path / "i", paths))


def test_letters_of_macos_and_of_others_are_the_same_domain(tmp_path):
    """Its names are in Unicode's form D."""
    images, source = find(make(tmp_path / "i", ["train/café/1.jpg", "train/cat/2.jpg", "val/cafe\u0301/3.jpg"]))
    assert source.domains == ("café", "cat") and images["val/cafe\u0301/3.jpg"] == ("café", "val")


def test_folders_of_domains_that_are_links_are_followed_when_asked(tmp_path):
    make(tmp_path / "elsewhere", ["cats/1.jpg", "cats/deep/2.jpg", "dogs/3.jpg"])
    place = tmp_path / "linked"
    place.mkdir()
    (place / "cat").symlink_to(tmp_path / "elsewhere" / "cats")
    (place / "dog").symlink_to("../elsewhere/dogs")
    (tmp_path / "elsewhere" / "cats" / "deep" / "up").symlink_to("..")
    (tmp_path / "elsewhere" / "dogs" / "both").symlink_to(place)
    images, source = find(place, follow_links=True)
    assert images == {"cat/1.jpg": ("cat", ""), "cat/deep/2.jpg": ("cat", ""), "dog/3.jpg": ("dog", "")}
    assert source.ignored == {"links to folders that they lie in": 2}
    with pytest.raises(UserError, match="no domains in"):
        find(place)


def make_images(folder, paths):
    for index, path in enumerate(paths):
        image = folder / path.replace(".jpg", ".png")
        image.parent.mkdir(parents=True, exist_ok=True)
        noise(16, 24, index).save(image)
    return folder


def test_what_is_printed_of_names_is_text(tmp_path):
    """Names of files may have bytes that are not UTF-8, and what terminals take for commands."""
    source = find(
        make(tmp_path / "i", [f"p\udcff/{name}" for name in ("cat/1.jpg", "dog/1.jpg", "2.\udcff", "3.\x1bc")])
    )[1]
    assert source.notes == (r"all domains are in the folder 'p\udcff/'",)
    assert source.ignored == {r"files ending in .\udcff": 1, r"files ending in .\x1bc": 1}


@pytest.mark.slow
def test_the_job_says_how_it_understands_folders(tmp_path, capsys):
    make_images(tmp_path / "i" / "pets", pairs("Training", "valid", "test"))
    assert run(tmp_path / "i", tmp_path / "o", "--val_split", "test") == 0
    printed = capsys.readouterr().out
    assert "all domains are in the folder 'pets/'\n" in printed
    assert "training images are those in 'Training', validation images those in 'test'; left out: 'valid'\n" in printed
    assert "ignored: 2 images of the split 'valid'\n" in printed and "warning" not in printed


@pytest.mark.slow
def test_the_job_warns_of_domains_without_validation_images(tmp_path, capsys):
    make_images(tmp_path / "i", ["val/cat/0.jpg", *(f"train/{domain}/1.jpg" for domain in ("cat", "dog", "eel"))])
    assert run(tmp_path / "i", tmp_path / "o") == 0
    warning = "warning: no validation images of 'dog', 'eel'; evaluation needs some of every domain\n"
    assert warning in capsys.readouterr().out
