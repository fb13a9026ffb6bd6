import json
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_prep import images_to_tfrecords
from data_prep.images_to_tfrecords import main


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


def run(source, output, *flags):
    return main(["--input", str(source), "--output", str(output), "--image_size", "[16,24]", *flags])


def read_all(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


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
    assert lines[0]["reason"] == "not an image"
    assert "truncated" in lines[1]["reason"]


def test_the_same_input_gives_the_same_bytes_and_a_summary(source, output, tmp_path, capsys):
    assert run(source, tmp_path / "again", "--max_rejected", "0.2") == 0
    assert read_all(tmp_path / "again") == read_all(output)
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["domain", "train", "val", "rejected"] in table
    assert ["jacket", "5", "1", "1"] in table
    assert ["t-shirt", "4", "1", "1"] in table
    assert ["rejected", "train/jacket/text.jpg:", "not", "an", "image"] in table


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
    assert run(source, target, "--overwrite", "true") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "2 of 13 images are unreadable, more than --max_rejected 0.1 allows" in error
    assert read_all(target) == {"old": b"old"}
    list_file = tmp_path / "output.rejected.jsonl"
    assert str(list_file) in error and len(list_file.read_text().splitlines()) == 2


def test_a_domain_without_readable_images_fails(tmp_path, capsys):
    source = make_input(tmp_path / "source")
    for file in (source / "train" / "jacket").iterdir():
        file.write_text("no image")
    assert run(source, tmp_path / "output", "--max_rejected", "1") == 2
    assert "domain 'jacket' has no readable training image left" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_images_that_get_lost_are_noticed(source, tmp_path, monkeypatch):
    monkeypatch.setattr(
        images_to_tfrecords, "write_shard", lambda shard, examples, _: (shard, len(list(examples)) - 1, 9)
    )
    with pytest.raises(RuntimeError, match="13 images, but 7 written and 2 rejected"):
        run(source, tmp_path / "output")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_size", "8"], "image size 8x8 is too small"),
        (["--image_size", "[8,32]"], "image size 8x32 is too small"),
        (["--image_size", "wide"], "wide"),
        (["--val_fraction", "1"], "--val_fraction 1.0"),
        (["--max_rejected", "-0.1"], "--max_rejected -0.1"),
        (["--encoding", "gif"], "gif"),
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
