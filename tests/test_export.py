import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from stargan_tf import export, networks
from stargan_tf.config import Config
from stargan_tf.data.images import decode_image, to_array, to_image, to_png
from stargan_tf.inference.translator import Translator
from stargan_tf.networks import published_names
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import face_network, run_directory
from stargan_tf.runs.checkpoints import load_ema, save_ema
from stargan_tf.serving.served_model import LocalModel, newest_version
from tests.fixtures import with_training
from tests.published_files import FACES


def test_what_is_in_a_version(exported_model, trained_run):
    version = exported_model / "1"
    assert {path.name for path in exported_model.iterdir()} == {"1", "serving"}
    assert {path.name for path in version.iterdir()} >= {"saved_model.pb", "variables", "assets", "assets.extra"}
    assert (version / "assets" / "labels.txt").read_text().split() == ["circle", "square", "triangle"]
    card = json.loads((version / "model_card.json").read_text())
    assert card["step"] == 2 and card["version"] == 1 and card["name"] == "stargan"
    assert card["configuration"]["model.style_dim"] == 8
    assert card["metrics"]["last_training_step"]["step"] == 2
    (data,) = card["data"]
    assert data["step"] == 0 and len(data["fingerprint"]) == 64 and sum(data["num_examples"].values()) == 27
    page = (version / "README.md").read_text()
    for fact in ("circle, square, triangle", "16 x 16 pixels", "2 steps", data["fingerprint"][:16], "not stated"):
        assert fact in page


def test_only_what_inference_needs_is_saved(exported_model, local_model):
    translator_weights = sum(variable.shape.num_elements() for variable in local_model._model.weights)
    stored = (exported_model / "1" / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert stored < 4 * translator_weights + 100_000  # float32, and the object graph


def test_versions_rise_and_are_never_written_over(trained_run, exported_model, tmp_path, capsys):
    model = tmp_path / "stargan"
    shutil.copytree(exported_model, model)
    before = (model / "1" / "saved_model.pb").read_bytes()
    arguments = ["--run", str(trained_run), "--output", str(model)]
    assert export.main([*arguments, "--version", "1"]) == 2
    assert "versions are never written over" in capsys.readouterr().err
    assert export.main([*arguments, "--batch_sizes", "[1]", "--licence", "CC BY 4.0"]) == 0
    assert "version 2 of stargan" in capsys.readouterr().out
    assert {path.name for path in model.iterdir()} == {"1", "2", "serving"}
    assert (model / "1" / "saved_model.pb").read_bytes() == before
    newest = LocalModel(model)
    assert newest.card["version"] == 2
    assert newest.card["licence"] == "CC BY 4.0"
    assert newest_version(model / "1") == model / "1"


def test_bfloat16_is_smaller_and_nearly_the_same(trained_run, local_model, tmp_path):
    export.run(
        export.Arguments(run=str(trained_run), output=str(tmp_path / "half"), precision="bfloat16", batch_sizes=[1])
    )
    half, full = LocalModel(tmp_path / "half"), local_model
    sizes = [
        sum(file.stat().st_size for file in (model.version / "variables").glob("variables.data*"))
        for model in (half, full)
    ]
    assert sizes[0] < 0.75 * sizes[1]  # the object graph, which weighs most here, is in both
    random = np.random.default_rng(0)
    inputs = {
        "image": random.uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32),
        "style": random.standard_normal((2, 8), np.float32),
    }
    outputs = half.predict("translate_style_float", inputs)["image"]
    assert outputs.dtype == np.float32
    # The same arithmetic as in mixed precision, where the variables are rounded at every call.
    config = with_training(run_directory.load_config(trained_run), precision="mixed_bfloat16")
    averages, _ = load_ema(config, trained_run)
    mixed = Translator(averages, config).translate(inputs["image"], inputs["style"])
    np.testing.assert_allclose(outputs, mixed, atol=1e-3)
    assert np.abs(outputs - full.predict("translate_style_float", inputs)["image"]).max() > 2e-3
    assert half.card["precision"] == "bfloat16"


def test_the_form_is_that_of_the_device_that_serves(
    exported_model, local_model, trained_run, tmp_path, monkeypatch, capsys
):
    """Whatever the machine that exports has."""

    def count_fused(version) -> int:
        return (version / "saved_model.pb").read_bytes().count(b"FusedBatchNormV3")

    arguments = ["--run", str(trained_run), "--output", str(tmp_path / "model"), "--batch_sizes", "[1]"]
    assert count_fused(exported_model / "1") > 0 and local_model.card["device"] == "cpu"
    monkeypatch.setattr(networks.tf.config, "list_physical_devices", lambda kind: [f"a {kind}"])
    assert export.main(arguments) == 0
    assert "in the form for CPUs (--device cpu); where it will be served on GPUs" in capsys.readouterr().out
    assert export.main([*arguments, "--device", "gpu"]) == 0
    assert "in the form for GPUs (--device gpu)" in capsys.readouterr().out
    assert count_fused(tmp_path / "model" / "1") > 0 and count_fused(tmp_path / "model" / "2") == 0
    assert "for GPUs; others compute the same" in (tmp_path / "model" / "2" / "README.md").read_text()


def test_a_face_model(tmp_path):
    """With the high-pass skip, whose masks a face network finds in the graph."""
    keras.utils.set_random_seed(0)
    config = Config(domains=("female", "male"), model=FACES)
    run = tmp_path / "run"
    run_directory.open_for_training(run, config)
    save_ema(networks.build(FACES, with_discriminator=False), 7, config, run)
    face_network.save(published_names.extract({"fan": FaceNetwork()})["fan"], run)
    export.run(export.Arguments(run=str(run), output=str(tmp_path / "faces"), batch_sizes=[1]))

    model, translator = LocalModel(tmp_path / "faces"), Translator.from_run(run)
    random = np.random.default_rng(0)
    image = to_image(random.uniform(-1, 1, (32, 32, 3)))
    style = random.standard_normal((1, FACES.style_dim), np.float32)
    drawn = model.translate_styles(to_png(image), style)[0]
    expected = to_image(translator.translate(to_array(image)[None], style)[0])
    np.testing.assert_array_equal(np.asarray(decode_image(drawn.image)), np.asarray(expected))
    assert model.card["step"] == 7 and model.card["data"] == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--run": "nowhere"}, "'nowhere' is not a run directory"),
        ({"--version": "0"}, "--version is 0; it must be at least 1"),
        ({"--batch_sizes": "[4, 2]"}, "--batch_sizes is [4, 2]; it must be rising numbers from 1 on"),
        ({"--max_rows": "4"}, "--max_rows is 4; it must be at least the largest batch size, 8"),
        ({"--output": "file"}, "is a file; it must be a directory"),
        ({"--output": "my model"}, "the model would be named 'my model'"),
        ({"--format": "pickle"}, "--format is 'pickle'; it must be one of saved_model, onnx, litert"),
    ],
)
def test_a_mistake_gets_one_sentence(changes, sentence, trained_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    arguments = {"--run": str(trained_run), "--output": "new", **changes}
    assert export.main([word for pair in arguments.items() for word in pair]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_a_model_that_differs_is_not_published(trained_run, tmp_path, monkeypatch, capsys):
    """A fault between networks and graph must not reach a server: here the translator's clipping is half as wide."""
    translate = Translator.translate
    monkeypatch.setattr(Translator, "translate", lambda *arguments: 0.5 * translate(*arguments))
    assert export.main(["--run", str(trained_run), "--output", str(tmp_path / "model"), "--batch_sizes", "[1]"]) == 2
    assert "otherwise than the run's networks" in capsys.readouterr().err
    assert not list((tmp_path / "model").iterdir())


def test_portable_formats_need_nothing_of_tf_serving():
    code = "import sys; sys.modules['tensorflow_serving'] = None; import stargan_tf.serving.export"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
