"""A run in one file: what is in it, what commands make of it, and what is refused."""

import json
import shutil

import numpy as np
import pytest

from stargan_tf import convert, export, sample, train
from stargan_tf.base.errors import UserError
from stargan_tf.config import LossConfig
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import named_runs, run_directory
from stargan_tf.runs.packed import pack
from stargan_tf.serving import model_card

pytestmark = pytest.mark.slow

LICENCE = "CC BY-SA 3.0\n\nPhotographs of leaves\nby D. P. Hughes and M. Salathé.\n"


@pytest.fixture(scope="module")
def licensed_run(trained_run, tmp_path_factory):
    run = tmp_path_factory.mktemp("licensed") / "run"
    shutil.copytree(trained_run, run)
    (run / run_directory.LICENCE_FILE).write_text(LICENCE)
    return run


@pytest.fixture(scope="module")
def file(licensed_run, tmp_path_factory):
    file = tmp_path_factory.mktemp("packed") / "shapes.npz"
    assert convert.main(["--run", str(licensed_run), "--pack", str(file)]) == 0
    return file


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STARGAN_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_packed_run_translates_as_its_run_does(licensed_run, file):
    run, unpacked = Translator.from_run(licensed_run), Translator.from_run(named_runs.find(str(file)))
    assert unpacked.step == run.step == 2 and unpacked.domains == run.domains
    images = np.random.default_rng(0).uniform(-1, 1, (4, *run.image_size, 3)).astype(np.float32)
    styles = run.styles_from_latents(run.draw_latents(4, seed=0), run.domains[1])
    np.testing.assert_allclose(unpacked.translate(images, styles), run.translate(images, styles), atol=0.01)
    for packed, original in zip(unpacked.variables, run.variables, strict=True):
        np.testing.assert_array_equal(packed.numpy(), original.numpy().astype(np.float16).astype(np.float32))


def test_what_belongs_to_the_run_goes_with_it(licensed_run, file):
    unpacked = named_runs.find(str(file))
    assert run_directory.recorded_data(unpacked) == run_directory.recorded_data(licensed_run) != []
    assert run_directory.licence(unpacked) == (
        "CC BY-SA 3.0",
        "Photographs of leaves by D. P. Hughes and M. Salathé.",
    )
    assert run_directory.load_config(unpacked).losses == LossConfig()


def test_a_run_is_packed_into_the_same_bytes_and_over_nothing(licensed_run, file, tmp_path):
    pack(licensed_run, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == file.read_bytes()
    with pytest.raises(UserError, match=r"shapes.npz' exists; choose a new file"):
        pack(licensed_run, file)


def test_it_is_unpacked_once(file, cache):
    first = named_runs.find(str(file))
    assert first.parent.parent == cache / "runs"
    before = (first / run_directory.CONFIG_FILE).stat().st_mtime_ns
    assert named_runs.find(str(file)) == first
    assert (first / run_directory.CONFIG_FILE).stat().st_mtime_ns == before


def test_a_run_or_a_model_that_is_there_is_taken_before_a_shipped_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (name,) = named_runs.SHIPPED
    (tmp_path / name).mkdir()  # of photographs, for example
    assert named_runs.is_shipped(name)
    (tmp_path / name / run_directory.CONFIG_FILE).touch()
    assert str(named_runs.find(name)) == name
    (tmp_path / name / run_directory.CONFIG_FILE).rename(tmp_path / name / "saved_model.pb")
    assert not named_runs.is_shipped(name)
    assert str(named_runs.find("nowhere")) == "nowhere"


@pytest.mark.parametrize("damage", ["text", "cut", "pickled", "another", "renamed", "shape"])
def test_what_is_no_packed_run_or_damaged_is_refused_in_a_sentence(file, tmp_path, cache, capsys, damage):
    with np.load(file) as held:
        arrays = dict(held)
    name = next(name for name in arrays if name.startswith("generator/"))
    if damage == "another":
        arrays = {"x": np.zeros(3)}
    elif damage == "pickled":
        arrays["step"] = np.array([{}], object)
    elif damage == "renamed":
        arrays["generator/else"] = arrays.pop(name)
    elif damage == "shape":
        arrays[name] = arrays[name][:1]
    bad = tmp_path / "bad.npz"
    np.savez(bad, **arrays)
    if damage == "text":
        bad.write_text("no archive")
    elif damage == "cut":
        bad.write_bytes(file.read_bytes()[:-1000])
    assert sample.main(["--run", str(bad), "--source", str(file), "--output", str(tmp_path / "out")]) == 2
    assert "bad.npz' is no packed run, or a damaged one" in capsys.readouterr().err
    assert not any((cache / "runs").rglob(run_directory.CONFIG_FILE))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--checkpoint", "x.ckpt"], "--pack goes with --run alone; leave --checkpoint out"),
        (["--to_pytorch", "x.ckpt"], "--pack goes with --run alone; leave --to_pytorch out"),
    ],
)
def test_packing_goes_with_nothing_else(trained_run, tmp_path, capsys, given, told):
    assert convert.main(["--run", str(trained_run), "--pack", str(tmp_path / "x.npz"), *given]) == 2
    assert told in capsys.readouterr().err


def test_weights_beyond_float16_are_refused(licensed_run, tmp_path, monkeypatch):
    from stargan_tf.networks import published_names

    extract = published_names.extract
    big = {"mapping_network": {"x": np.array([7e4], np.float32)}}
    monkeypatch.setattr(published_names, "extract", lambda networks: extract(networks) | big)
    with pytest.raises(UserError, match=r"mapping_network/x of the run .* beyond 65,504, float16's range"):
        pack(licensed_run, tmp_path / "x.npz")
    assert not (tmp_path / "x.npz").exists()


def test_a_run_that_starts_from_it_has_its_licence_and_so_has_what_is_exported(file, data_path, tmp_path):
    run = tmp_path / "run"
    arguments = ["--data", str(data_path), "--run", str(run), "--init_from", str(file)]
    assert train.main([*arguments, "--training.steps", "1", "--training.sample_every", "9"]) == 0
    assert (run / run_directory.LICENCE_FILE).read_text() == LICENCE
    assert export.main(["--run", str(run), "--output", str(tmp_path / "model"), "--batch_sizes", "[1]"]) == 0
    card = json.loads((tmp_path / "model" / "1" / model_card.CARD_FILE).read_text())
    assert (card["licence"], card["attribution"]) == run_directory.licence(run)
    page = (tmp_path / "model" / "1" / model_card.README_FILE).read_text()
    assert page.startswith("---\nlicense: cc-by-sa-3.0\n")
    assert "| made of | Photographs of leaves by D. P. Hughes and M. Salathé. |" in page
