"""What the folder of the page holds, and what is told of mistakes."""

import json

import numpy as np
import onnx
import pytest

from stargan_tf import export
from stargan_tf.inference.translator import Translator
from stargan_tf.serving.web import runtime


@pytest.mark.slow
def test_what_is_in_the_folder(folder, export_page, trained_run):
    facts = json.loads((folder / "model.json").read_text())
    assert facts["domains"] == ["circle", "square", "triangle"] and facts["step"] == 2
    named = [network["path"] for network in facts["networks"]] + [example["path"] for example in facts["examples"]]
    for files in facts["runtime"].values():
        named += [files["script"], files["glue"], files["binary"]["path"]]
    assert all((folder / path).is_file() for path in named)
    assert all(network["bytes"] == (folder / network["path"]).stat().st_size for network in facts["networks"])
    assert {"index.html", "main.js", "style.css", "model_card.json", "README.md"} <= {p.name for p in folder.iterdir()}
    assert json.loads((folder / "model_card.json").read_text())["licence"] == "<b>CC0</b>"
    # Names are text, whatever they look like.
    assert "&lt;b&gt;CC0&lt;/b&gt;" in facts["card"] and "<b>" not in facts["card"]
    assert export_page(trained_run).joinpath("examples").exists() is False  # only those that are asked for


@pytest.mark.slow
def test_float16_halves_the_weights(folder, export_page, trained_run):
    whole = export_page(trained_run, "--weights", "float32")

    def weights(path):
        tensors = onnx.load(path).graph.initializer
        return sum(len(tensor.raw_data) for tensor in tensors if np.prod(tensor.dims) >= 64)

    for path in (whole / "networks").iterdir():
        assert weights(folder / "networks" / path.name) == weights(path) / 2 > 0, path.name


@pytest.mark.slow
def test_a_page_that_draws_otherwise_is_not_written(installed_runtime, trained_run, tmp_path, monkeypatch, capsys):
    """A fault between networks and files must not reach a visitor: here the translator draws half as bright."""
    translate = Translator.translate
    monkeypatch.setattr(Translator, "translate", lambda *arguments: 0.5 * translate(*arguments))
    command = ["--run", trained_run, "--output", tmp_path / "page", "--format", "web", "--runtime", installed_runtime]
    assert export.main([str(word) for word in command]) == 2
    assert "draw domain 'circle' otherwise than the run's, by up to" in capsys.readouterr().err
    assert not list((tmp_path / "page").iterdir())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            f"needs the npm package onnxruntime-web 1.30, from a directory that --runtime names; `{runtime.INSTALL}`",
        ),
        ({"--runtime": "empty"}, "--runtime 'empty' does not hold the npm package onnxruntime-web; `npm install"),
        ({"--runtime": "old"}, "--runtime 'old' holds onnxruntime-web 1.17.0; the page needs 1.30, and `npm install"),
        ({"--runtime": "cut"}, "--runtime 'cut' lacks ort.wasm.min.mjs"),
        ({"--precision": "bfloat16"}, "--precision bfloat16 is not for --format web"),
        ({"--weights": "int8"}, "--weights is 'int8'; it must be one of float16, float32"),
    ],
)
def test_a_mistake_gets_one_sentence(changes, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, version in (("old", "1.17.0"), ("cut", "1.30.0")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": version}))
    before = sorted(tmp_path.iterdir())
    arguments = {"--run": "runs/pets", "--output": "new", "--format": "web", **changes}
    assert export.main([word for pair in arguments.items() for word in pair]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and sentence in err
    assert sorted(tmp_path.iterdir()) == before
