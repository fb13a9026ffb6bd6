import io
import json
import tarfile

import pytest

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError


def write_tar(file, members):
    """A tar of files by name; one whose name ends in gz is compressed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


def samples(start, labels, kind="cls"):
    """Files of samples: an image whose bytes are its number, and its label."""
    members = {}
    for number, label in enumerate(labels, start=start):
        members[f"{number:04d}.jpg"] = str(number).encode()
        content = str(label) if kind == "cls" else json.dumps({"label": label, "mood": f"{label}!", "more": {}})
        members[f"{number:04d}.{kind}"] = content.encode()
    return members


def find(place, **options):
    """The source; domain, subset and content of its images by key."""
    folder = str(place).partition("*")[0].partition("{")[0]
    source = open_source(str(place), SourceOptions(**options), f"{folder}.work")
    images = source.images()
    return source, {image.key: (image.domain, image.subset, read_image(image.location, 99)) for image in images}


@pytest.mark.parametrize("name", ["pets.tar", "pets.tar.gz"])
@pytest.mark.parametrize("kind", ["cls", "json"])
def test_one_file(tmp_path, name, kind):
    file = write_tar(tmp_path / name, samples(0, ["cat", "dog", "cat"], kind))
    source, images = find(file)
    assert source.domains == ("cat", "dog")
    assert images == {
        f"{name}/{number:04d}.jpg": (domain, "", str(number).encode())
        for number, domain in enumerate(("cat", "dog", "cat"))
    }


def test_samples_in_a_folder(tmp_path):
    members = {f"images/{name}": content for name, content in samples(0, ["cat", "dog"], "json").items()}
    assert find(write_tar(tmp_path / "pets.tar", members))[0].domains == ("cat", "dog")
    two = {f"more/{name}": content for name, content in samples(2, ["cat", "dog"], "json").items()}
    file = write_tar(tmp_path / "pets.tar", members | two)
    assert find(file)[0].domains == ("images", "more")  # whose JSON may be anything
    assert find(file, label_column="label")[0].domains == ("cat", "dog")


def test_numbers_are_named(tmp_path):
    file = write_tar(tmp_path / "pets.tar", samples(0, [0, 1, 2, -1]))
    source, images = find(file, domain=("cat=0", "dog=2"))
    assert [image[0] for image in images.values()] == ["cat", "dog"]
    assert source.ignored == {"images of labels that no --domain names": 1, "images without a label (-1)": 1}


def test_another_field_of_the_json(tmp_path):
    file = write_tar(tmp_path / "pets.tar", samples(0, ["cat", "dog"], "json"))
    assert find(file, label_column="mood")[0].domains == ("cat!", "dog!")


@pytest.mark.parametrize("place", ["", "pets-{train,val,test}-{000..001}.tar", "*.tar"])
def test_several_shards(tmp_path, place):
    for split, start in (("train", 0), ("val", 10), ("test", 20)):
        for shard in range(2):
            write_tar(tmp_path / f"pets-{split}-{shard:03d}.tar", samples(start + 2 * shard, [0, 1]))
    write_tar(tmp_path / "pets-val-001.tar", samples(12, [0, 1]) | {"0099.txt": b"alone"})
    (tmp_path / "README.md").touch()
    source, images = find(tmp_path / place if place else tmp_path)
    assert images == {
        f"pets-{split}-{shard:03d}.tar/{start + 2 * shard + label:04d}.jpg": (
            str(label),
            split,
            str(start + 2 * shard + label).encode(),
        )
        for split, start in (("train", 0), ("val", 10))
        for shard in range(2)
        for label in range(2)
    }
    ignored = {"images of other splits": 4, "files of samples without an image": 1}
    assert source.ignored == ignored | ({} if place else {"other files": 1})


def test_a_tar_of_folders_is_none(tmp_path):
    members = {"cat/1.jpg": b"1", "cat/1.txt": b"", "dog/2.jpg": b"2", "dog/2.json": b"{}"}
    assert find(write_tar(tmp_path / "i.tar", members))[1].keys() == {"cat/1.jpg", "dog/2.jpg"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"3.jpg": b""}, "3.jpg in i.tar has no label: there is no 3.json or 3.cls"),
        (
            {"3.jpg": b"", "3.json": b"[]"},
            "the JSON of 3.jpg in i.tar has no 'label'; name its field",
        ),
        ({"3.jpg": b"", "3.json": b'{"label": {}}'}, "'label' of 3.jpg in i.tar is no text or number but a dict"),
        ({"3.jpg": b"", "3.cls": b"\xff"}, "the label of 3.jpg in i.tar is no text"),
        ({"3.jpg": b"", "3.cls": b" "}, "the label of 3.jpg in i.tar is empty"),
    ],
)
def test_images_without_labels_are_named(tmp_path, members, message):
    with pytest.raises(UserError, match=message):
        find(write_tar(tmp_path / "i.tar", samples(0, [0, 1]) | members))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("no-*.tar", "no-[*].tar fits no file"), ("{0..999999}.tar", "stands for more than 100,000 files")],
)
def test_patterns_that_fit_nothing_or_too_much(tmp_path, pattern, message):
    with pytest.raises(UserError, match=message):
        find(tmp_path / pattern)


def test_a_missing_shard_is_named(tmp_path):
    write_tar(tmp_path / "0.tar", samples(0, [0, 1]))
    with pytest.raises(UserError, match=r"0\.\.1.*1.tar too, which does not exist"):
        find(tmp_path / "{0..1}.tar")
