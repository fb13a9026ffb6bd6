import shutil
import subprocess
import sys

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from stargan_tf.base.errors import UserError
from stargan_tf.data import manifest
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.records import (
    check_domains,
    fingerprint,
    open_data_directory,
    serialize_example,
    shard_file,
    split_name,
)
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata


@pytest.mark.parametrize(
    ("domain", "split"),
    [("dress", "train_dress"), ("t-shirt", "train_t_shirt"), ("a b.c", "train_a_b_c"), ("猫", "train_猫")],
)
def test_split_name(domain, split):
    assert split_name("train", domain) == split


def test_domains_with_the_same_split_are_named():
    check_domains(["t-shirt", "tshirt"])
    with pytest.raises(UserError, match=r"'t-shirt' and 't_shirt'.*'train_t_shirt'"):
        check_domains(["t-shirt", "dress", "t_shirt"])


@pytest.mark.parametrize("domain", [" cat", "cat ", "c\nat"])
def test_domains_that_do_not_fit_on_a_line_are_named(domain):
    with pytest.raises(UserError) as error:
        check_domains(["dog", domain])
    assert repr(domain) in str(error.value)


def test_a_domain_too_long_for_names_of_files_is_named():
    check_domains(["a" * 150])
    with pytest.raises(UserError, match=r"domain '字{40}'\.\.\. is too long .* takes 306 bytes of the 160"):
        check_domains(["字" * 100])


def test_an_example_is_read_as_it_was_written():
    arguments = (b"\xff\xd8bytes", 2, "train/猫/1.jpg", '{"a": 1}')
    assert serialize_example(*arguments) == serialize_example(*arguments)
    example = decode_example(serialize_example(*arguments))
    assert (example["image"], example["label"]) == ([b"\xff\xd8bytes"], [2])
    assert (example["key"][0].decode(), example["attributes"]) == ("train/猫/1.jpg", [b'{"a": 1}'])


def test_a_data_directory_knows_what_is_in_it(data, data_path):
    assert data.path == str(data_path)
    assert data.domains == ("cat", "t-shirt", "zebra")
    assert data.image_size == (16, 24)
    assert data.num_examples == {"train_cat": 2, "train_t_shirt": 41, "train_zebra": 5, "val_cat": 3, "val_t_shirt": 1}
    assert data.shards("train_t_shirt") == tuple(str(data_path / shard_file("train_t_shirt", i, 2)) for i in range(2))


def test_an_unknown_split_is_named(data):
    with pytest.raises(UserError, match=r"no split 'val_zebra'; it has .*val_cat"):
        data.shards("val_zebra")


def test_a_fingerprint_tells_the_content(data, data_path, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(data_path, copy)
    assert fingerprint(open_data_directory(copy)) == fingerprint(data)
    shard = next(path for path in sorted(copy.glob("*.tfrecord*")) if path.stat().st_size)
    content = bytearray(shard.read_bytes())
    content[-5] ^= 1
    shard.write_bytes(content)
    assert fingerprint(open_data_directory(copy)) != fingerprint(data)


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """Names of the files that are read to be hashed."""
    names, hash_file = [], manifest.hash_file
    monkeypatch.setattr(manifest, "hash_file", lambda path: names.append(path) or hash_file(path))
    return names


def test_a_fingerprint_takes_the_hashes_of_the_manifest_where_sizes_agree(data, data_path, tmp_path, read):
    expected = fingerprint(data)
    copy = shutil.copytree(data_path, tmp_path / "copy")
    manifest.write_manifest(str(copy), {}, {})
    read.clear()
    assert fingerprint(open_data_directory(copy)) == expected
    assert read == []
    shard = copy / shard_file("train_zebra", 0, 1)
    with shard.open("ab") as file:
        file.write(shard.read_bytes())
    assert fingerprint(open_data_directory(copy)) != expected
    assert read == [str(shard)]
    (copy / manifest.MANIFEST_FILE).unlink()
    assert fingerprint(open_data_directory(copy)) != expected
    (copy / manifest.MANIFEST_FILE).write_text('{"settings": {}, "files": 5}')
    with pytest.raises(UserError, match=r"manifest\.json is damaged: it lists no files"):
        fingerprint(open_data_directory(copy))


def test_a_directory_without_a_manifest_is_read_once(data_path, tmp_path, read):
    copy = shutil.copytree(data_path, tmp_path / "copy")
    first = fingerprint(open_data_directory(copy))
    assert len(read) == len(set(read)) == 6
    assert fingerprint(open_data_directory(copy)) == first and len(read) == 6
    shard = copy / shard_file("train_zebra", 0, 1)
    content = bytearray(shard.read_bytes())
    content[-5] ^= 1
    shard.write_bytes(content)
    assert fingerprint(open_data_directory(copy)) != first and read[6:] == [str(shard)]


def test_tensorflow_datasets_reads_it(data_path):
    builder = tfds.builder_from_directory(str(data_path))
    examples = list(tfds.as_numpy(builder.as_dataset(split="train_cat+val_t_shirt")))
    assert [example["key"] for example in examples] == [
        b"train/cat/000.png",
        b"train/cat/001.png",
        b"val/t-shirt/000.png",
    ]
    assert [(int(e["image"][0, 0, 0]), int(e["label"])) for e in examples] == [(0, 0), (0, 0), (50, 1)]


def test_a_split_with_an_empty_shard_can_be_read(tmp_path):
    for index, records in enumerate([[], [serialize_example(b"", 0, "a")]]):
        with tf.io.TFRecordWriter(str(tmp_path / shard_file("train_cat", index, 2))) as writer:
            for record in records:
                writer.write(record)
    write_metadata(tmp_path, ["cat", "dog"], (16, 16), {"train_cat": SplitSummary((0, 1), 9)})
    assert open_data_directory(tmp_path).num_examples == {"train_cat": 1}
    dataset = tfds.builder_from_directory(str(tmp_path)).as_dataset(
        split="train_cat", decoders={"image": tfds.decode.SkipDecoding()}
    )
    assert [example["key"] for example in tfds.as_numpy(dataset)] == [b"a"]


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(UserError, match=f"data directory {tmp_path / 'none'} does not exist"):
        open_data_directory(tmp_path / "none")


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
def test_another_directory_is_told_apart(data_path, tmp_path, name):
    shutil.copytree(data_path, tmp_path / "copy")
    (tmp_path / "copy" / name).unlink()
    with pytest.raises(UserError, match=f"{tmp_path / 'copy'} is not a data directory, since it has no {name}"):
        open_data_directory(tmp_path / "copy")


def test_damaged_metadata_is_told(data_path, tmp_path):
    shutil.copytree(data_path, tmp_path / "copy")
    (tmp_path / "copy" / "features.json").write_text("{")
    with pytest.raises(UserError, match=f"metadata of data directory {tmp_path / 'copy'} cannot be read"):
        open_data_directory(tmp_path / "copy")


def test_a_dataset_with_other_features_is_told(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / shard_file("train", 0, 1))) as writer:
        writer.write(b"")
    template = tfds.core.ShardedFileTemplate(data_dir=str(tmp_path), dataset_name="images", filetype_suffix="tfrecord")
    split = tfds.core.SplitInfo(name="train", shard_lengths=[1], num_bytes=1, filename_template=template)
    tfds.folder_dataset.write_metadata(
        data_dir=str(tmp_path), features={"sound": tfds.features.Text()}, split_infos=[split], check_data=False
    )
    with pytest.raises(UserError, match=f"examples of {tmp_path} have no feature 'image'"):
        open_data_directory(tmp_path)


def test_a_missing_directory_is_told_without_tensorflow():
    code = (
        "import sys; from stargan_tf.data.records import open_data_directory\n"
        "try: open_data_directory('/none/such')\n"
        "except ValueError: sys.exit('tensorflow' in sys.modules or 'tensorflow_datasets' in sys.modules)\n"
        "sys.exit(2)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
