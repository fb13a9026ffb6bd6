import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_prep import steps
from data_prep.images_to_tfrecords import main
from data_prep.shards import ShardWriter
from tests.data_prep.jobs import noise, read_all, read_examples, read_lines, run

pytestmark = pytest.mark.slow


def make_input(root):
    """Eleven good images of odd sizes in two domains; one that is cut off, and a text."""
    rng = np.random.default_rng(0)
    for subset, count in (("train", 4), ("val", 1)):
        for domain in ("jacket", "t-shirt"):
            (root / subset / domain).mkdir(parents=True)
            for i in range(count):
                image = Image.fromarray(rng.integers(0, 256, (20 + i, 40, 3), np.uint8))
                image.save(root / subset / domain / f"{i}.{'png' if i % 2 else 'jpg'}")
    Image.fromarray(rng.integers(0, 256, (16, 24, 3), np.uint8)).save(root / "train/jacket/fits.png")
    whole = (root / "train/t-shirt/0.jpg").read_bytes()
    (root / "train/t-shirt/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "train/jacket/text.jpg").write_text("I am no image.")
    entry = {"path": "train/jacket/fits.png", "attributes": {"sleeves": 2}}
    (root / "attributes.jsonl").write_text(json.dumps(entry) + "\n")
    return root


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_input(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def output(source, tmp_path_factory):
    output = tmp_path_factory.mktemp("work") / "output"
    assert run(source, output, "--max_rejected", "0.2") == 0
    return output


def test_tensorflow_datasets_reads_it(source, output):
    builder = tfds.builder_from_directory(str(output))
    counts = {name: split.num_examples for name, split in builder.info.splits.items()}
    assert counts == {"train_jacket": 5, "train_t_shirt": 4, "val_jacket": 1, "val_t_shirt": 1}
    assert builder.info.features["label"].names == ["jacket", "t-shirt"]
    examples = {
        example["key"].decode(): example
        for example in tfds.as_numpy(builder.as_dataset(split="train_jacket+train_t_shirt"))
    }
    assert len(examples) == 9
    for key, example in examples.items():
        assert example["image"].shape == (16, 24, 3)
        assert example["label"] == ("t-shirt" in key)
    fits = examples["train/jacket/fits.png"]
    np.testing.assert_array_equal(fits["image"], np.asarray(Image.open(source / "train/jacket/fits.png")))
    assert json.loads(fits["attributes"]) == {"sleeves": 2}
    assert examples["train/jacket/0.jpg"]["attributes"] == b"{}"


def test_rejected_images_are_listed(output):
    lines = [json.loads(line) for line in (output / "rejected.jsonl").read_text().splitlines()]
    assert [(line["path"], line["domain"]) for line in lines] == [
        ("train/jacket/text.jpg", "jacket"),
        ("train/t-shirt/cut.jpg", "t-shirt"),
    ]
    assert (lines[0]["reason"], lines[0]["error"]) == ("not_an_image", "not an image but text")
    assert lines[1]["reason"] == "damaged" and "truncated" in lines[1]["error"]


def test_the_same_input_gives_the_same_bytes_and_a_summary(source, output, tmp_path, capsys):
    assert run(source, tmp_path / "again", "--max_rejected", "0.2") == 0
    assert read_all(tmp_path / "again") == read_all(output)
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["domain", "train", "val", "rejected", "duplicates"] in table
    assert ["jacket", "5", "1", "1", "0"] in table
    assert ["t-shirt", "4", "1", "1", "0"] in table
    assert ["rejected", "'train/jacket/text.jpg':", "not", "an", "image"] in [line[:5] for line in table]


def test_two_worker_threads_give_the_same_bytes(source, output, tmp_path):
    flags = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_threading"]
    assert run(source, tmp_path / "again", "--max_rejected", "0.2", *flags) == 0
    assert read_all(tmp_path / "again") == read_all(output)


def test_flags_after_two_dashes_go_to_beam(source, tmp_path):
    with pytest.raises(ValueError, match="NoSuchRunner"):
        run(source, tmp_path / "output", "--", "--runner=NoSuchRunner")
    assert not any(tmp_path.iterdir())


def test_an_output_that_exists_is_kept_unless_overwriting(source, output, tmp_path, capsys):
    target = tmp_path / "output"
    target.mkdir()
    (target / "old").write_text("old")
    assert run(source, target, "--max_rejected", "0.2") == 2
    assert f"{target} exists" in capsys.readouterr().err
    assert read_all(target) == {"old": b"old"}
    assert run(source, target, "--max_rejected", "0.2", "--overwrite", "true") == 0
    assert read_all(target) == read_all(output)


def test_too_many_rejected_fails_after_listing_and_keeps_the_old(source, tmp_path, capsys):
    target = tmp_path / "output"
    target.mkdir()
    (target / "old").write_text("old")
    assert run(source, target, "--overwrite", "true") == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "2 of 13 images are rejected, more than --max_rejected 0.1 allows" in error
    assert read_all(target) == {"old": b"old"}
    list_file = tmp_path / "output.rejected.jsonl"
    assert str(list_file) in error and len(list_file.read_text().splitlines()) == 2


def test_a_domain_without_readable_images_fails(tmp_path, capsys):
    source = make_input(tmp_path / "source")
    for file in (source / "train" / "jacket").iterdir():
        file.write_text("no image")
    assert run(source, tmp_path / "output", "--max_rejected", "1") == 3
    assert "domain 'jacket' has no readable training image left" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_images_that_get_lost_are_noticed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "write", lambda group, options: [])
    with pytest.raises(RuntimeError, match="13 images, but 0 written, 1 rejected and 0 duplicates"):
        run(source, tmp_path / "output", "--max_rejected", "0.2")
    assert not any(tmp_path.iterdir())


def test_the_manifest_is_of_every_file(output):
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["files"].keys() | {"manifest.json"} == {file.name for file in output.iterdir()}
    for name, entry in manifest["files"].items():
        content = (output / name).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    shards = {name: entry["examples"] for name, entry in manifest["files"].items() if "examples" in entry}
    assert shards == {
        f"images-{split}.tfrecord-00000-of-00001": count
        for split, count in {"train_jacket": 5, "train_t_shirt": 4, "val_jacket": 1, "val_t_shirt": 1}.items()
    }


@pytest.fixture
def duplicates(tmp_path):
    """The same image twice in a domain, in two domains, and in training and validation."""
    root = tmp_path / "source"
    for number, place in enumerate(("train/a", "train/b", "val/a")):
        (root / place).mkdir(parents=True)
        for index in range(2):
            noise(16, 24, 10 * number + index).save(root / place / f"{index}.png")
    for copy, original in (
        ("train/a/copy.png", "train/a/0.png"),
        ("train/b/copy.png", "train/a/1.png"),
        ("val/a/copy.png", "train/a/0.png"),
    ):
        (root / copy).write_bytes((root / original).read_bytes())
    return root


def test_conflicts_fail_with_both_paths(duplicates, tmp_path, capsys):
    assert run(duplicates, tmp_path / "output") == 3
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "'train/a/0.png' and 'val/a/copy.png' are the same image in training and validation" in error
    assert not (tmp_path / "output").exists()
    listed = read_lines(tmp_path / "output.duplicates.jsonl")
    assert [(entry["path"], entry["reason"], entry["same_as"]) for entry in listed] == [
        ("train/a/0.png", "across_splits", "val/a/copy.png"),
        ("train/a/1.png", "across_domains", "train/b/copy.png"),
        ("train/a/copy.png", "across_splits", "train/a/0.png"),
        ("train/b/copy.png", "across_domains", "train/a/1.png"),
        ("val/a/copy.png", "across_splits", "train/a/0.png"),
    ]


def test_conflicts_are_dropped_if_asked(duplicates, tmp_path):
    noise(16, 24, 99).save(duplicates / "train" / "a" / "2.png")
    assert run(duplicates, tmp_path / "output", "--conflicts", "drop") == 0
    assert {key for _, key in read_examples(tmp_path / "output")} == {
        *("train/a/2.png", "train/b/0.png", "train/b/1.png"),
        *("val/a/0.png", "val/a/1.png", "val/a/copy.png"),
    }
    listed = read_lines(tmp_path / "output" / "duplicates.jsonl")
    assert [(entry["path"], entry["reason"]) for entry in listed] == [
        ("train/a/0.png", "across_splits"),
        ("train/a/1.png", "across_domains"),
        ("train/a/copy.png", "across_splits"),
        ("train/b/copy.png", "across_domains"),
    ]


def test_the_split_is_stable_and_near_duplicates_across_it_are_reported(tmp_path):
    """Smooth images, each with a copy of another quality, of which the hash sends some to the other side."""
    source = tmp_path / "source"
    for domain in ("a", "b"):
        (source / domain).mkdir(parents=True)
        for index in range(12):
            image = noise(8, 12, 100 * (domain == "b") + index).resize((24, 16), Image.Resampling.BICUBIC)
            image.save(source / domain / f"{index:02d}.png")
            image.save(source / domain / f"{index:02d}_again.jpg", quality=95, subsampling=0)
    assert run(source, tmp_path / "small", "--val_fraction", "0.4") == 0
    sides = {key: split for split, key in read_examples(tmp_path / "small")}
    pairs = read_lines(tmp_path / "small" / "near_duplicates.jsonl")
    split_pairs = {
        key[:4]
        for key, side in sides.items()
        for other, other_side in sides.items()
        if key[:4] == other[:4] and side[:3] != other_side[:3]
    }
    assert split_pairs and {pair["val"][:4] for pair in pairs} == split_pairs
    assert all(pair["val"][:4] == pair["train"][:4] for pair in pairs)

    for index in range(5):
        noise(16, 24, 500 + index).save(source / "a" / f"new{index}.png")
    (source / "a" / "00.png").rename(source / "a" / "renamed.png")
    assert run(source, tmp_path / "large", "--val_fraction", "0.4") == 0
    later = {key: split for split, key in read_examples(tmp_path / "large")}
    sides["a/renamed.png"] = sides.pop("a/00.png")
    assert len(later) == len(sides) + 5 and sides.items() <= later.items()


def test_raw_images_are_read_by_tensorflow_datasets(source, output, tmp_path):
    assert run(source, tmp_path / "raw", "--max_rejected", "0.2", "--encoding", "raw", "--verify") == 0
    raw, encoded = (
        {example["key"]: example["image"] for example in tfds.as_numpy(builder.as_dataset("train_jacket"))}
        for builder in map(tfds.builder_from_directory, (str(tmp_path / "raw"), str(output)))
    )
    assert raw.keys() == encoded.keys()
    key = b"train/jacket/fits.png"
    assert raw[key].dtype == np.uint8
    np.testing.assert_array_equal(raw[key], encoded[key])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_size", "8"], "image size 8x8 is too small"),
        (["--image_size", "[8,32]"], "image size 8x32 is too small"),
        (["--image_size", "wide"], "wide"),
        (["--val_fraction", "1"], "--val_fraction is 1"),
        (["--max_rejected", "-0.1"], "--max_rejected is -0.1"),
        (["--encoding", "webp"], "webp"),
        (["--quality", "96"], "--quality is 96"),
        (["--background", "no colour"], "--background 'no colour'"),
        (["--max_pixels", "1000000000"], "--max_pixels is 1000000000"),
        (["--domain", "male=+Male"], "fits no label of"),
        (["--input", "/none/such"], "--input /none/such"),
    ],
)
def test_mistakes_are_told_in_one_line(source, tmp_path, capsys, flags, message):
    assert run(source, tmp_path / "output", *flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert not any(tmp_path.iterdir())


def test_help_and_mistakes_answer_at_once():
    start = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", "data_prep.images_to_tfrecords"]
    done = subprocess.run(
        [*command, "--input", "/none/such", "--output", "x", "--image_size", "16"], capture_output=True
    )
    assert done.returncode == 2 and b"/none/such" in done.stderr
    assert b" tensorflow\n" not in done.stderr and b" apache_beam\n" not in done.stderr
    assert time.monotonic() - start < 10


def test_help_begins_with_what_nobody_can_do_without(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    flags = re.findall(r"^  --(\w+)", capsys.readouterr().out, re.MULTILINE)
    assert flags[2:5] == ["input", "output", "image_size"]  # after --config and --print_config


def test_a_full_disk_is_one_sentence(source, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ShardWriter, "write", full)
    assert run(source, tmp_path / "output", "--max_rejected", "0.2") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: '{tmp_path / 'output'}' cannot be written: no space left on the device")
    assert list(tmp_path.iterdir()) == []
