"""Translating a pile of images as a Beam job: all are written or rejected with a reason; nothing is done twice."""

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from data_prep.translate_images import main
from data_prep.translation.job_directory import begun_job
from data_prep.translation.results import result_name
from data_prep.verify import verify
from stargan_tf import export
from stargan_tf.base import files
from stargan_tf.data.images import read_image, to_png
from stargan_tf.data.records import open_data_directory
from stargan_tf.inference import style_file
from stargan_tf.inference.style_file import drawn_styles
from tests.data_prep.jobs import noise, read_images, read_lines
from tests.stores import new_store, objects
from tests.test_imports import run_without

pytestmark = pytest.mark.slow

DOMAINS = ("circle", "square", "triangle")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Eight images in folders that are no domains, of other sizes than the model's, and one that is none."""
    root = tmp_path_factory.mktemp("bulk") / "photos"
    for index in range(8):
        file = root / ("2023" if index % 2 else "2024/summer") / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(20, 24, index).save(file)
    (root / "2023" / "bad.jpg").write_text("I am no image.")
    return root


def run(model, source, output, *flags) -> int:
    return main(["--model", str(model), "--input", str(source), "--output", str(output), "--processes", "1", *flags])


SMALL = ("--translations_per_shard", "6", "--max_rejected", "0.2")


@pytest.fixture(scope="module")
def job(exported_model, source, tmp_path_factory):
    """All images in a drawn style of each domain."""
    output = tmp_path_factory.mktemp("bulk") / "output"
    assert run(exported_model, source, output, *SMALL, "--seed", "7") == 0
    return output


def read_all(directory):
    """Contents by path, but for what says when and where."""
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != ".lock"}


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_every_image_is_in_every_style_or_rejected(job, source, local_model, capsys):
    keys = {path.relative_to(source).as_posix() for path in source.rglob("*.png")}
    names = {f"{domain}/seed_7/{key}.png" for domain in DOMAINS for key in keys}
    assert {path.relative_to(job / "images").as_posix() for path in (job / "images").rglob("*.*")} == names
    (rejected,) = read_lines(job / "rejected.jsonl")
    assert rejected == {
        "path": "2023/bad.jpg",
        "domain": "",
        "reason": "not_an_image",
        "error": "not an image but text",
    }
    manifest = json.loads((job / "manifest.json").read_text())
    assert (manifest["num_images"], manifest["num_translations"], manifest["num_rejected"]) == (9, 24, 1)
    assert {entry["count"] for entry in manifest["translations"]} == {8}
    listed = [line for path in (job / "shards").iterdir() for line in read_lines(path) if line["kind"] == "translation"]
    assert {entry["file"] for entry in listed} == {f"images/{name}" for name in names}
    assert not (job / "work").exists()

    # As the model draws the image that training would have seen.
    data = (source / "2023" / "1.png").read_bytes()
    seen = to_png(read_image(data, (16, 16), local_model.image_config))
    (expected,) = local_model.translate_latent(seen, "square", [7])
    drawn = pixels((job / "images/square/seed_7/2023/1.png.png").read_bytes())
    assert np.abs(drawn - pixels(expected.image)).max() <= 1
    written = Image.open(job / "images/square/seed_7/2023/1.png.png")
    written.load()
    assert "trainedAlgorithmicMedia" in written.info["xmp"].decode()
    styles = json.loads((job / "styles.json").read_text())["styles"]
    np.testing.assert_allclose(styles[1]["code"], expected.style, atol=1e-5)


def test_finished_shards_are_left_alone_and_lost_files_made_again(exported_model, source, job, tmp_path, capsys):
    output = tmp_path / "output"
    shutil.copytree(job, output)
    before = read_all(output)
    (output / "images/circle/seed_7/2023/3.png.png").unlink()
    shard = next(path for path in (output / "shards").iterdir() if "2023/3.png" in path.read_text())
    mates = {entry["file"] for entry in read_lines(shard) if entry["kind"] == "translation"}
    states = {path: path.stat().st_mtime_ns for path in (output / "images").rglob("*.png")}
    assert run(exported_model, source, output, *SMALL, "--seed", "7") == 0
    assert "shards are done already" in capsys.readouterr().out
    assert read_all(output) == before
    touched = {path.relative_to(output).as_posix() for path in states if path.stat().st_mtime_ns != states[path]}
    assert len(mates) < len(states) and touched == mates - {"images/circle/seed_7/2023/3.png.png"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--seed", "8"), "begun with other styles"),
        (("--seed", "7", "--format", "jpeg"), "begun with other format"),
        (("--seed", "7", "--input", "{other}"), "begun with other input"),
    ],
)
def test_a_directory_of_another_job_is_refused(exported_model, source, job, tmp_path, change, sentence, capsys):
    noise(20, 20).save(tmp_path / "other.png")
    before = read_all(job)
    assert run(exported_model, source, job, *SMALL, *(flag.format(other=tmp_path) for flag in change)) == 2
    assert sentence in capsys.readouterr().err
    assert read_all(job) == before


def test_foreign_files_are_not_counted_as_translations(exported_model, source, job, tmp_path):
    shutil.copytree(job, tmp_path / "output")
    (tmp_path / "output/images/circle/mine.png").write_bytes(b"")
    with pytest.raises(RuntimeError, match="24 translations, but 25 files"):
        run(exported_model, source, tmp_path / "output", *SMALL, "--seed", "7")
    assert not (tmp_path / "output/manifest.json").exists()


def test_too_many_rejected_images_are_an_error_that_a_flag_allows(exported_model, tmp_path, capsys):
    noise(20, 20).save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    output = tmp_path.parent / "output"
    assert run(exported_model, tmp_path, output, "--domain", "circle") == 3
    assert "1 of 2 images are rejected, more than --max_rejected 0.1 allows" in capsys.readouterr().err
    assert read_lines(output / "rejected.jsonl")[0]["reason"] == "empty"
    assert run(exported_model, tmp_path, output, "--domain", "circle", "--max_rejected", "0.5") == 0


def test_records_become_records(exported_model, data_path, tmp_path):
    flags = ("--domain", "square", "circle", "--styles", "2", "--form", "tfrecord", "--translations_per_shard", "40")
    assert run(exported_model, data_path, tmp_path / "output", *flags) == 0
    directory = tmp_path / "output/data"
    verify(str(directory))
    data = open_data_directory(directory)
    assert data.domains == DOMAINS and data.num_examples == {"train_circle": 54, "train_square": 54}
    assert len(data.shards("train_circle")) == 3
    drawn = read_images(directory)
    assert sum(key.startswith("seed_1/") for key in drawn) == 27  # one key for two domains, of which the last counts
    assert all(image.shape == (16, 16, 3) for image in drawn.values())


def test_tables_need_no_labels_and_archives_no_folders(exported_model, source, tmp_path):
    paths = sorted(source.rglob("*.png"))
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"{path}\n" for path in paths))
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    written = {}
    for name in ("list.csv", "flat.zip"):
        output = tmp_path / f"{name}.out"
        assert run(exported_model, tmp_path / name, output, "--domain", "circle") == 0
        written[name] = sorted(path.read_bytes() for path in (output / "images").rglob("*.png"))
    assert len(written["flat.zip"]) == 8 and written["list.csv"] == written["flat.zip"]


@pytest.fixture(scope="module")
def style(translator_of_run, tmp_path_factory):
    """A file as `sample` writes it."""
    path = tmp_path_factory.mktemp("style") / "blue.json"
    latents = translator_of_run.draw_latents(1, 3)
    style_file.write(drawn_styles(translator_of_run, "square", [3], 1.0, latents)[0], path, translator_of_run, "run")
    return path


@pytest.fixture(scope="module")
def translator_of_run(trained_run):
    from stargan_tf.inference.translator import Translator

    return Translator.from_run(trained_run)


def test_onnx_needs_no_tensorflow_and_draws_the_same(exported_model, trained_run, source, style, tmp_path):
    onnx = tmp_path / "onnx" / "stargan"
    export.run(export.Arguments(run=str(trained_run), output=str(onnx), format="onnx"))
    flags = ("--style", str(style), "--processes", "1", *SMALL)
    code = "from data_prep import translate_images; sys.exit(translate_images.main())"
    run_without(("tensorflow", "keras"), code, "--model", onnx, "--input", source, "--output", tmp_path / "a", *flags)
    assert run(exported_model, source, tmp_path / "b", *flags) == 0
    names = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a/images/square/style_blue").rglob("*.png")]
    assert len(names) == 8
    for name in names:
        one, other = (pixels((tmp_path / place / name).read_bytes()) for place in ("a", "b"))
        assert np.abs(one - other).max() <= 1


def test_styles_of_references(exported_model, source, images_path, translator_of_run, tmp_path):
    flags = ("--reference", str(images_path / "val"), "--domain", "triangle", "--references", "2", *SMALL)
    assert run(exported_model, source, tmp_path / "output", *flags) == 0
    styles = json.loads((tmp_path / "output/styles.json").read_text())["styles"]
    assert [style["name"] for style in styles] == ["reference_00000", "reference_00001"]
    reference = np.asarray(Image.open(images_path / "val/triangle/00000.png"), np.float32)[None] / 127.5 - 1
    expected = translator_of_run.styles_from_references(reference, "triangle")[0]
    np.testing.assert_allclose(styles[0]["code"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "--input is missing"),
        (("--input", "{source}", "--domain", "cat"), "--domain is 'cat'; the model knows circle, square, triangle"),
        (("--input", "{source}", "--seed", "1", "--reference", "x"), "--seed and --reference are given"),
        (("--input", "{source}", "--style", "x.json"), "cannot read the style file 'x.json'"),
        (("--input", "{source}", "--style", "x.json", "--domain", "circle"), "style files belong to a domain already"),
        (("--input", "{source}", "--reference", "none", "--domain", "circle"), "there is no file or folder 'none'"),
        (("--input", "{source}", "--references", "2"), "--references is given without --reference"),
        (("--input", "{source}", "--batch_size", "9"), "the model takes at most 8 at once"),
        (("--input", "{source}", "--form", "tfrecord", "--format", "webp"), "it must be png or jpeg"),
        (("--input", "{source}", "--model", "{tmp}"), "there is no exported model in"),
        (("--input", "{source}", "--model", "gs://bucket/model"), "is on a store; copy it"),
        (("--input", "{source}", "--output", "{source}"), "exists and is not empty"),
        (("--input", "{tmp}/none"), "does not exist"),
    ],
)
def test_mistakes_are_one_sentence(exported_model, source, tmp_path, flags, sentence, capsys):
    places = {"source": source, "tmp": tmp_path}
    given = [flag.format(**places) for flag in flags]
    assert main(["--model", str(exported_model), "--output", str(tmp_path / "output"), *given]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_two_at_once_are_refused_in_one_directory(exported_model, source, tmp_path, capsys):
    with begun_job(str(tmp_path / "output")):
        assert run(exported_model, source, tmp_path / "output") == 75
    assert "another process writes to --output" in capsys.readouterr().err


def test_a_mistake_in_the_input_does_not_bind_the_output(exported_model, source, tmp_path):
    assert run(exported_model, tmp_path / "none", tmp_path / "output", "--seed", "1") == 2
    assert run(exported_model, source, tmp_path / "output", "--seed", "2", *SMALL) == 0


def test_no_two_sources_have_the_same_name():
    assert result_name("a/tom.jpg", ".png") == "a/tom.jpg.png"
    keys = [
        "tom.jpg",
        "tom.png",
        "tom.png.png/x",
        "a/b",
        "a_b",
        "a\\b",
        "a//b",
        "../a",
        "/a",
        ".a",
        "x" * 300,
        "x" * 301,
    ]
    names = [result_name(key, ".png") for key in keys]
    assert len(set(names)) == len(keys)
    assert not {name for name in names if any(f"{name}/" in f"{other}/" for other in names if other != name)}
    assert all(".." not in name.split("/") and not name.startswith("/") for name in names)


# Runs the command in children of a process that has imported what takes long, and kills each as soon as as many shards
# are done as it is told; at last one that is left alone.
_KILLER = """
import os, pathlib, signal, sys, time
import apache_beam, tensorflow
from data_prep import translate_images
from data_prep.translation import steps

shards = pathlib.Path(sys.argv[1])
for least in (1, 7, 14, None):
    child = os.fork()
    if child == 0:
        os._exit(translate_images.main(sys.argv[2:]))
    ended = 0
    while not ended and (least is None or len(list(shards.glob("*.jsonl"))) < least):
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    print("moment", status, len(list(shards.glob("*.jsonl"))), flush=True)
"""


def test_a_store_gets_the_same_bytes_and_an_interrupted_job_there_goes_on(job, exported_model, source, request):
    output = f"{new_store('s3', request)}/output"
    assert run(exported_model, source, output, *SMALL, "--seed", "7") == 0
    assert objects(output) == read_all(job)
    files.delete_folder(f"{output}/shards")
    assert run(exported_model, source, output, *SMALL, "--seed", "7") == 0
    assert objects(output) == read_all(job)


def test_killed_and_gone_on_and_two_processes_give_the_same_bytes(exported_model, source, tmp_path):
    """Killed three times with SIGKILL; then, in another directory, two processes."""
    many = tmp_path / "many"
    shutil.copytree(source, many / "a")
    for index in range(40):
        noise(16, 16, 100 + index).save(many / f"{index}.png")
    flags = ["--model", str(exported_model), "--input", str(many), "--translations_per_shard", "6"]
    places = [tmp_path / name for name in ("killed", "two")]

    command = [sys.executable, "-c", _KILLER, str(places[0] / "shards"), *flags]
    done = subprocess.run([*command, "--output", str(places[0]), "--processes=1"], capture_output=True, text=True)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("moment")]
    assert [int(line[1]) for line in lines] == [9, 9, 9, 0], done.stdout + done.stderr
    left = [int(line[2]) for line in lines]
    assert left[0] < left[1] < left[2] < left[3]

    command = [sys.executable, "-m", "data_prep.translate_images", *flags, "--output", str(places[1]), "--processes=2"]
    subprocess.run(command, check=True, capture_output=True)
    written = [read_all(place) for place in places]
    assert written[0] == written[1]
    assert sum(name.startswith("images/") for name in written[0]) == 48 * 3
