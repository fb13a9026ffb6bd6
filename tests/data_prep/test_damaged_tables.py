"""Whatever bytes a table or a shard has, it is read or refused in one sentence."""

import contextlib
import random

import pyarrow
import pytest
from pyarrow import parquet

from data_prep.sources import SourceImage, SourceOptions, open_source, read_image
from stargan_tf.base.errors import UserError
from tests.data_prep.hugging_face import numbered, write_shard
from tests.data_prep.test_webdataset import samples, write_tar

_PIECES = (b"\0", b'"', b",", b"\n", b"\xff\xfe", b"-1", b"\xed\xa0\x80", b"{", b"9" * 5000)


def write_good(file):
    """A good file of the kind that its name tells."""
    if file.name == "images.parquet":
        write_shard(file, numbered(0, 20), [0, 1] * 10)
    elif file.name == "paths.parquet":
        table = pyarrow.table({"path": [f"{row}.jpg" for row in range(20)], "label": ["cat", "dog"] * 10})
        parquet.write_table(table, file)
    elif ".tar" in file.name:
        write_tar(file, samples(0, ["cat", "dog", "3"], file.name.partition(".")[0]))
    else:
        file.write_bytes(
            {
                "t.csv": b'path,label,split\na.jpg,cat,train\n"b,x.jpg",dog,val\n"c\nd.jpg",cat,test\ne.jpg,dog,\n',
                "t.tsv": "path\tlabel\na.jpg\tcat\nb.jpg\tdog\n".encode("utf-16"),
                "t.jsonl": b'{"path": "a.jpg", "label": "cat"}\n{"path": "b.jpg", "label": 1}\n',
                "list_attr_celeba.txt": b"2\nMale Young\n1.jpg -1  1\n2.jpg  1 -1\n",
                "list_attr_celeba.csv": b"image_id,Male,Young\n1.jpg,1,1\n2.jpg,-1,1\n",
            }[file.name]
        )
    return file


def damage(content, random):
    """Changes, leaves out or adds some bytes, or cuts the end."""
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        place = random.randrange(len(content) + 1)
        match random.randrange(4):
            case 0:
                content[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                del content[place : place + random.randrange(1, 30)]
            case 2:
                content[place:place] = random.choice(_PIECES)
            case 3 if random.random() < 0.3:
                del content[place:]
    return bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        *("images.parquet", "paths.parquet", "cls.tar", "json.tar", "cls.tar.gz"),
        *("t.csv", "t.tsv", "t.jsonl", "list_attr_celeba.txt", "list_attr_celeba.csv"),
    ],
)
def test_no_bytes_are_a_traceback(tmp_path, name):
    file = write_good(tmp_path / name)
    good, source, count = file.read_bytes(), random.Random(name), 0
    options = SourceOptions(domain=("man=+Male", "woman=-Male") if "celeba" in name else ())
    for damaged in (good, *(damage(good, source) for _ in range(60))):
        file.write_bytes(damaged)
        try:
            for image in open_source(str(file), options, str(tmp_path / "work")).images():
                count += 1
                assert SourceImage.from_json(image.to_json()) == image
                with contextlib.suppress(OSError):  # with which the job rejects it
                    read_image(image.location, 2**20)
        except UserError as error:
            assert "\n" not in str(error)
    assert count
