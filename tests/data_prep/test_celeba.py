import zipfile

import pytest

from data_prep.sources import SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError


def find(place, **options):
    """The source, and its images by key."""
    source = open_source(str(place), SourceOptions(**options), str(place) + ".work")
    return source, {image.key: image for image in source.images()}


CELEBA = """3
Male Smiling Young
000001.jpg -1  1  1
000002.jpg  1 -1  1
000003.jpg  1  1 -1
"""


def test_celeba(tmp_path):
    table = tmp_path / "list_attr_celeba.txt"
    table.write_text(CELEBA)
    source, images = find(table, domain=["woman=-Male", "young man=+Male,+Young"], images="/faces")
    assert source.domains == ("woman", "young man")
    assert {(image.location.path, image.domain) for image in images.values()} == {
        ("/faces/000001.jpg", "woman"),
        ("/faces/000002.jpg", "young man"),
    }
    assert source.ignored == {"rows for which no --domain holds": 1}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "needs rules like"),
        (["male"], "--domain 'male' is not of the form"),
        (["male=Male", "female=-Male"], "--domain 'male=Male' is not of the form"),
        (["male=+Man"], "names no attribute of .*; it has Male, Smiling, Young"),
        (["male=+Male", "happy=+Smiling"], "000003.jpg belongs to the domains 'male' and 'happy'"),
    ],
)
def test_mistakes_in_rules_are_named(tmp_path, rules, message):
    table = tmp_path / "list_attr_celeba.txt"
    table.write_text(CELEBA)
    with pytest.raises(UserError, match=message):
        find(table, domain=rules)


RULES = ("woman=-Male", "man=+Male")


def make_kaggle(folder, images=True):
    """CelebA's files as they are on Kaggle."""
    rows = [line.split() for line in CELEBA.splitlines()[2:]]
    lines = ["image_id,Male,Smiling,Young", *(",".join(row) for row in rows)]
    (folder / "list_attr_celeba.csv").write_text("\n".join(lines))
    partition = ["image_id,partition", *(f"{row[0]},{index}" for index, row in enumerate(rows))]
    (folder / "list_eval_partition.csv").write_text("\n".join(partition))
    if images:
        with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
            for name in (*(row[0] for row in rows), "other.jpg"):
                archive.writestr(f"img_align_celeba/{name}", name)
    return folder


@pytest.mark.parametrize("name", ["list_attr_celeba.csv", ""])
def test_the_files_of_kaggle(tmp_path, name):
    source, images = find(make_kaggle(tmp_path) / name, domain=RULES)
    assert source.domains == ("man", "woman")
    assert {key: (image.domain, image.subset) for key, image in images.items()} == {
        "000001.jpg": ("woman", "train"),
        "000002.jpg": ("man", "val"),
    }
    assert all(read_image(image.location, 99) == key.encode() for key, image in images.items())
    assert source.ignored == {"rows of split 'test'": 1, "files of the archive that no row names": 1}
    assert any("list_eval_partition.csv tells training from validation" in note for note in source.notes)


def test_all_in_one_archive(tmp_path):
    (tmp_path / "parts").mkdir()
    make_kaggle(tmp_path / "parts")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        for file in tmp_path.glob("parts/*.csv"):
            archive.write(file, file.name)
        with zipfile.ZipFile(tmp_path / "parts" / "img_align_celeba.zip") as images:
            for name in images.namelist():
                archive.writestr(f"img_align_celeba/{name}", images.read(name))
    source, images = find(tmp_path / "archive.zip", domain=RULES)
    assert {key: (image.domain, image.subset, read_image(image.location, 99)) for key, image in images.items()} == {
        "000001.jpg": ("woman", "train", b"000001.jpg"),
        "000002.jpg": ("man", "val", b"000002.jpg"),
    }
    assert source.ignored == {"rows of split 'test'": 1, "files of the archive that no row names": 3}


def test_images_that_were_unpacked_into_a_folder_more(tmp_path):
    make_kaggle(tmp_path, images=False)
    (tmp_path / "img_align_celeba" / "img_align_celeba").mkdir(parents=True)
    _, images = find(tmp_path, domain=RULES)
    assert images["000001.jpg"].location.path == f"{tmp_path}/img_align_celeba/img_align_celeba/000001.jpg"


def test_the_partition_beside_the_published_list(tmp_path):
    (tmp_path / "list_attr_celeba.txt").write_text(CELEBA)
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n")
    source, images = find(tmp_path / "list_attr_celeba.txt", domain=RULES)
    assert {key: image.subset for key, image in images.items()} == {"000001.jpg": "train", "000002.jpg": "val"}
    assert source.ignored == {"rows of no split": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_id,Male\n1.jpg,2\n", "line 2 of .* should have a name and 1 values of 1 or -1"),
        ("image_id\n1.jpg\n", "is no list of attributes: its first line"),
        ("", "is empty"),
        ("image_id,Male\n1.jpg,1\n\xe4.jpg,1\n", "is not in UTF-8"),
    ],
)
def test_a_malformed_list_is_named(tmp_path, content, message):
    (tmp_path / "list_attr_celeba.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=message):
        find(tmp_path / "list_attr_celeba.csv", domain=RULES)
