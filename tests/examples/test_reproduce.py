"""Tables of the paper on archives of the published layout, with generated images and tiny networks."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from data_prep import synthetic
from examples import reproduce
from stargan_tf.config import flatten, preset, yaml_files
from tests.examples.stopping import stop_in_training
from tests.fixtures import TINY, with_training
from tests.metrics import onnx_files


def archive(folder: Path, domains: tuple[str, ...], size: int = 16, train: int = 7, val: int = 3) -> Path:
    """Writes folder/NAME/train/DOMAIN and val/DOMAIN, as in the published archives; returns NAME's folder."""
    images = folder / "images"
    synthetic.write(synthetic.Arguments(str(images), size, train, val))
    for subset in ("train", "val"):
        for shape, domain in zip(synthetic.DOMAINS, domains, strict=False):
            target = folder / "published" / subset / domain
            shutil.copytree(images / subset / shape, target)
    return folder / "published"


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> list[str]:
    """Flags with small networks in the place of InceptionV3 and AlexNet."""
    folder = tmp_path_factory.mktemp("networks")
    extractor = onnx_files.write(folder / "inception.onnx", ("pooled",))
    alex = onnx_files.write(folder / "alex.onnx", ("relu0", "relu1"))
    weights = {f"lin{index}": np.ones(channels, np.float32) for index, channels in enumerate(onnx_files.CHANNELS)}
    np.savez(folder / "alex.npz", **weights)
    return ["--extractor", str(extractor), "--distance", f"{alex}:{folder / 'alex.npz'}"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STARGAN_TF_CACHE", str(tmp_path / "cache"))


def evaluation(step: int = 100_000, sources: int = 500, **differences: float) -> dict:
    """The published numbers of AFHQ, some of them changed, as an evaluation gives them."""
    numbers = reproduce.TABLES["afhq"].published
    tasks = {f"{one}2{other}": {"source": one, "num_sources": sources} for one, other in ("cd", "dw", "wc")}
    result = {mode: {"tasks": tasks, "mean": dict(mean)} for mode, mean in numbers.items()}
    for name, difference in differences.items():
        mode, measure = name.split("_")
        result[mode]["mean"][measure] += difference
    return {"step": step, **result}


# ------------------------------------------------------------------------------------------------ the table
def test_differences_are_beside_their_tolerance():
    tolerances = {"fid": 0.05, "lpips": 0.02}  # 0.809 and 0.0090 latent-guided, 0.989 and 0.0086 reference-guided
    measured = evaluation(latent_fid=0.8, latent_lpips=-0.0091, reference_fid=-1.0, reference_lpips=0.0086)
    rows = reproduce.compared(measured, reproduce.TABLES["afhq"], tolerances)
    assert [(row["task"], row["measure"], row["within"]) for row in rows] == [
        ("latent-guided", "fid", True),
        ("latent-guided", "lpips", False),
        ("reference-guided", "fid", False),
        ("reference-guided", "lpips", True),
    ]
    assert rows[2]["measured"] == pytest.approx(18.78) and rows[2]["difference"] == pytest.approx(-1.0)

    network = {"name": "inception.onnx", "hash": "0123456789ab"}
    facts = {"table": "AFHQ", "networks": "trained", "step": 7, "extractor": network, "distance": network}
    lines = reproduce.shown(facts, rows, ["steps 7 instead of 100000"]).splitlines()
    assert lines[2].split() == ["latent-guided", "FID", "16.98", "16.18", "+0.80", "0.81", "within"]
    assert lines[3].split() == ["latent-guided", "LPIPS", "0.4410", "0.4501", "-0.0091", "0.0090", "outside"]
    assert lines[-1] == "not as published: steps 7 instead of 100000"


def test_what_is_not_as_published_is_told():
    table = reproduce.TABLES["afhq"]
    published = replace(preset("afhq_256"), domains=table.domains)
    assert reproduce.deviations(evaluation(), table, flatten(published)) == []

    # Speed and memory do not count, nor does the seed.
    same = with_training(published, microbatches=2, seed=5, jit_compile=True)
    assert reproduce.deviations(evaluation(), table, flatten(same)) == []

    other = replace(published, losses=replace(published.losses, lambda_ds=1.0))
    other = with_training(other, precision="mixed_bfloat16")
    assert reproduce.deviations(evaluation(step=50_000, sources=499), table, flatten(other)) == [
        "steps 50000 instead of 100000",
        "validation images of c 499 instead of 500",
        "validation images of d 499 instead of 500",
        "validation images of w 499 instead of 500",
        "losses.lambda_ds 1.0 instead of 2.0",
        "training.precision mixed_bfloat16 instead of float32",
    ]


# ------------------------------------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("table", "flags", "sentence"),
    [
        ("afhq", ["--extractor", "inception"], "the paper's numbers need FILE.onnx"),
        ("afhq", ["--distance", "classifier"], "the paper's numbers need FILE.onnx"),
        ("afhq", ["--distance", "none.onnx:none.npz"], "there is no file 'none.onnx' (--distance)"),
        ("afhq", ["--checkpoint", "none.ckpt"], "there is no file 'none.ckpt' (--checkpoint)"),
        ("afhq", ["--fan", "wing.ckpt"], "--fan 'wing.ckpt' is of no use for afhq"),
        ("celeba_hq", [], "--fan is missing"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(table, flags, sentence, networks, tmp_path, capsys):
    argv = ["--table", table, "--archive", str(tmp_path / "none.zip"), "--output", str(tmp_path / "work")]
    assert reproduce.main([*argv, *networks, *flags]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_another_archive_is_refused_before_training(networks, tmp_path, capfd):
    other = archive(tmp_path, ("cat", "dog", "horse"))
    argv = ["--table", "afhq", "--archive", str(other), "--output", str(tmp_path / "work"), "--image_size", "16"]
    assert reproduce.main([*argv, *networks]) == 2
    assert "are cat, dog, horse; those of AFHQ are cat, dog, wild" in capfd.readouterr().err

    shutil.rmtree(tmp_path / "work")
    (other / "val").rename(other / "test")  # as in the second version of AFHQ, which the paper does not know
    assert reproduce.main([*argv, *networks]) == 2
    assert "--val_split is val, and no folder of domains" in capfd.readouterr().err
    assert not (tmp_path / "work" / "data").exists()


# ------------------------------------------------------------------------------------------------ whole tables
@pytest.mark.slow
def test_a_published_checkpoint_is_measured_once(networks, tmp_path, capfd):
    pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
    from tests.published_files import SMALL, averaged, random_state, save

    checkpoint = save(averaged(random_state(SMALL, seed=0)), tmp_path / "100000_nets_ema.ckpt")
    images, output = archive(tmp_path, ("cat", "dog", "wild")), tmp_path / "work"
    argv = ["--table", "afhq", "--archive", str(images), "--output", str(output), "--image_size", "16", *networks]
    assert reproduce.main([*argv, "--checkpoint", str(checkpoint)]) == 0
    out = capfd.readouterr().out
    assert "python -m stargan_tf.convert" in out and "validation images of cat 3 instead of 500" in out

    written = json.loads((output / "imported.json").read_text())
    assert (written["table"], written["networks"], written["step"]) == ("AFHQ", "imported", 100_000)
    (file,) = (output / "imported" / "evaluation" / "step_100000").glob("*.json")
    measured = json.loads(file.read_text())
    assert {(row["task"], row["measure"]): row["measured"] for row in written["rows"]} == {
        (f"{mode}-guided", measure): measured[mode]["mean"][measure]
        for mode in ("latent", "reference")
        for measure in ("fid", "lpips")
    }

    # Nothing is done again, though the archive is gone.
    shutil.rmtree(images)
    assert reproduce.main([*argv, "--checkpoint", str(checkpoint)]) == 0
    out = capfd.readouterr().out
    assert "python -m" not in out and "latent-guided FID" in out
    assert json.loads((output / "imported.json").read_text()) == written


@pytest.mark.long
def test_a_training_is_stopped_and_goes_on(networks, tmp_path, capfd):
    images, output, settings = archive(tmp_path, ("cat", "dog", "wild")), tmp_path / "work", tmp_path / "settings.yaml"
    zipped = shutil.make_archive(str(tmp_path / "afhq"), "zip", images.parent, images.name)
    yaml_files.save(with_training(TINY, sample_every=1000, checkpoint_every=1000), settings)
    argv = ["--table", "afhq", "--archive", zipped, "--output", str(output), "--settings", str(settings)]
    argv += ["--image_size", "16", *networks]
    command = [sys.executable, "-m", "examples.reproduce", *argv, "--steps", "300"]
    stop_in_training(command, output / "trained")
    assert not (output / "trained.json").exists()

    assert reproduce.main([*argv, "--steps", "300"]) == 0
    out = capfd.readouterr().out
    assert "resuming" in out and "images_to_tfrecords" not in out
    assert "steps 300 instead of 100000" in out and "model.max_channels 8 instead of 512" in out
    first = json.loads((output / "trained.json").read_text())
    assert first["step"] == 300 and len(first["rows"]) == 4

    # The same again is only shown; more steps, and another network, are measured anew.
    assert reproduce.main([*argv, "--steps", "300"]) == 0
    assert "stargan_tf.evaluate" not in capfd.readouterr().out
    assert reproduce.main([*argv, "--steps", "301"]) == 0
    more = json.loads((output / "trained.json").read_text())
    assert more["step"] == 301 and more["rows"] != first["rows"]
    np.savez(tmp_path / "other.npz", lin0=np.ones(4), lin1=np.zeros(6))
    distance = f"{argv[-1].rpartition(':')[0]}:{tmp_path / 'other.npz'}"
    assert reproduce.main([*argv[:-1], distance, "--steps", "301"]) == 0
    other = json.loads((output / "trained.json").read_text())
    assert other["distance"] != more["distance"]
    assert [one == another for one, another in zip(more["rows"], other["rows"], strict=True)] == [True, False] * 2


@pytest.mark.long
def test_faces_are_trained_and_imported(networks, tmp_path, capfd):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
    from stargan_tf.networks import published_names
    from stargan_tf.networks.face_network import FaceNetwork
    from tests.published_files import FACES, averaged, random_state, save

    keras.utils.set_random_seed(0)
    tensors = published_names.extract({"fan": FaceNetwork()})["fan"]
    fan = tmp_path / "wing.ckpt"
    torch.save({"state_dict": {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}}, fan)
    images, output = archive(tmp_path, ("female", "male"), size=32, train=6, val=2), tmp_path / "work"
    argv = ["--table", "celeba_hq", "--archive", str(images), "--output", str(output), "--image_size", "32", *networks]

    checkpoint = save(averaged(random_state(FACES, seed=0)), tmp_path / "100000_nets_ema.ckpt")
    assert reproduce.main([*argv, "--checkpoint", str(checkpoint), "--fan", str(fan)]) == 0
    assert "CelebA-HQ, imported networks, step 100,000" in capfd.readouterr().out

    settings = tmp_path / "settings.yaml"
    yaml_files.save(replace(TINY, model=replace(TINY.model, w_hpf=1.0)), settings)
    assert reproduce.main([*argv, "--settings", str(settings), "--fan", str(fan), "--steps", "2"]) == 0
    out = capfd.readouterr().out
    assert "CelebA-HQ, trained networks, step 2" in out and "images_to_tfrecords" not in out
    assert {path.name for path in output.glob("*.json")} == {"imported.json", "trained.json"}
