"""The files for other runtimes, each run in its own."""

import json
import shutil

import numpy as np
import onnx
import pytest

from stargan_tf import export
from stargan_tf.base.errors import UserError
from stargan_tf.serving import portable, versions
from stargan_tf.serving.served_model import newest_version

NAMES = {"translate_style", "encode_style", "map_latent"}


@pytest.fixture(scope="module")
def portable_model(trained_run, tmp_path_factory):
    """The same networks in both formats."""
    model = tmp_path_factory.mktemp("portable") / "stargan"
    for format in ("onnx", "litert"):
        export.run(export.Arguments(run=str(trained_run), output=str(model), format=format))
    return model


@pytest.fixture(scope="module")
def onnx_version(portable_model):
    return portable_model / "1"


def test_both_formats_of_one_network_are_beside_each_other(portable_model, trained_run, capsys):
    assert [path.name for path in portable_model.iterdir()] == ["1"]
    version = portable_model / "1"
    assert {path.name for path in version.iterdir()} == {
        *(f"{name}{suffix}" for name in NAMES for suffix in (".onnx", ".tflite")),
        *("labels.txt", "model_card.json", "README.md"),
    }
    assert versions.formats(version) == {"onnx", "litert"}
    networks = json.loads((version / "model_card.json").read_text())["networks"]
    assert versions.choose(portable_model, "onnx", None, networks) == 2  # nothing is written over
    command = ["--run", str(trained_run), "--output", str(portable_model), "--version", "1", "--format"]
    assert export.main([*command, "onnx"]) == 2
    assert "--version 1: " in (told := capsys.readouterr().err) and "never written over" in told


def test_other_networks_have_another_number(portable_model, tmp_path):
    model = tmp_path / "stargan"
    shutil.copytree(portable_model, model)
    for path in model.glob("1/*.tflite"):
        path.unlink()
    networks = json.loads((model / "1" / "model_card.json").read_text())["networks"]
    assert versions.choose(model, "litert", None, networks) == 1
    assert versions.choose(model, "litert", 1, networks) == 1
    assert versions.choose(model, "litert", None, "others") == 2
    with pytest.raises(UserError, match=f"--version 1: .* holds other networks .{networks}, not others.; these"):
        versions.choose(model, "litert", 1, "others")
    for other in ("saved_model", "web"):
        assert versions.choose(model, other, None, networks) == 2
        with pytest.raises(UserError, match=r"--version 1: .* exists; versions are never written over"):
            versions.check(model, other, 1)
    (model / "1" / "model_card.json").write_text("{}")  # as of an earlier version
    assert versions.choose(model, "litert", None, networks) == 2


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_served_directory_gets_no_other_formats(format, exported_model, trained_run, tmp_path, capsys):
    shutil.copytree(exported_model, tmp_path / "stargan")
    for output in (tmp_path / "stargan", tmp_path / "stargan" / ".." / "stargan"):
        assert export.main(["--run", str(trained_run), "--output", str(output), "--format", format.upper()]) == 2
        assert "is served: a server may take a version in " in capsys.readouterr().err
    with pytest.raises(UserError, match="is served: a server may take a version in web for its newest"):
        versions.check(tmp_path / "stargan", "web", None)
    shutil.rmtree(tmp_path / "stargan" / "serving")
    before = sorted(tmp_path.rglob("*"))
    assert export.main(["--run", str(trained_run), "--output", str(tmp_path / "stargan"), "--format", format]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_a_saved_model_is_not_put_beside_other_formats(portable_model, trained_run, capsys):
    assert export.main(["--run", str(trained_run), "--output", str(portable_model)]) == 2
    assert "holds versions in other formats, which a server may take for its own" in capsys.readouterr().err


def test_the_newest_version_is_one_that_can_be_loaded(exported_model, portable_model, tmp_path):
    """Of a directory in which an earlier version of this package put ONNX files beside a SavedModel."""
    shutil.copytree(exported_model / "1", tmp_path / "stargan" / "1")
    shutil.copytree(portable_model / "1", tmp_path / "stargan" / "2")
    assert newest_version(tmp_path / "stargan") == tmp_path / "stargan" / "1"
    with pytest.raises(UserError, match="holds no SavedModel; ONNX and LiteRT files are run"):
        newest_version(portable_model)


def test_the_axes_of_onnx_files_have_names(onnx_version):
    shapes = {}
    for name in NAMES:
        graph = onnx.load(onnx_version / f"{name}.onnx").graph
        for value in (*graph.input, *graph.output):
            dimensions = value.type.tensor_type.shape.dim
            shapes[value.name] = [dimension.dim_param or dimension.dim_value for dimension in dimensions]
    assert shapes == {
        "image": ["batch", 16, 16, 3],
        "translated_image": ["batch", 16, 16, 3],
        "style": ["batch", 8],
        "latent": ["batch", 4],
        "domain": ["batch"],
        "psi": ["batch"],
    }


def test_what_is_out_of_range_is_clipped(onnx_version, translator):
    random = np.random.default_rng(0)
    images = random.uniform(-2, 2, (3, 16, 16, 3)).astype(np.float32)
    encoded = onnx_run(onnx_version / "encode_style.onnx", {"image": images, "domain": np.int32([-5, 7, 2])})
    for row, domain in enumerate(("circle", "triangle", "triangle")):
        expected = translator.styles_from_references(np.clip(images[[row]], -1, 1), domain)
        np.testing.assert_allclose(encoded[[row]], expected, atol=1e-5)


def onnx_run(path, inputs):
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, inputs)[0]


@pytest.mark.parametrize("rows", [1, 5])
def test_onnx_files_are_the_translator(onnx_version, translator, rows):
    random = np.random.default_rng(rows)
    images = random.uniform(-1, 1, (rows, 16, 16, 3)).astype(np.float32)
    latents = random.standard_normal((rows, 4), np.float32)
    styles = translator.styles_from_latents(latents, "square", psi=0.5)
    domain = np.ones(rows, np.int32)
    inputs = {"latent": latents, "domain": domain, "psi": np.full(rows, 0.5, np.float32)}
    np.testing.assert_allclose(onnx_run(onnx_version / "map_latent.onnx", inputs), styles, atol=1e-5)
    drawn = onnx_run(onnx_version / "translate_style.onnx", {"image": images, "style": styles})
    np.testing.assert_allclose(drawn, translator.translate(images, styles), atol=1e-4)
    encoded = onnx_run(onnx_version / "encode_style.onnx", {"image": images, "domain": domain})
    np.testing.assert_allclose(encoded, translator.styles_from_references(images, "square"), atol=1e-5)


def test_onnx_files_explain_themselves(onnx_version):
    assert {path.stem for path in onnx_version.glob("*.onnx")} == NAMES
    assert (onnx_version / "labels.txt").read_text().split() == ["circle", "square", "triangle"]
    for path in onnx_version.glob("*.onnx"):
        metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}
        assert metadata["domains"] == ["circle", "square", "triangle"]
        assert metadata["model_card"]["step"] == 2


def test_litert_files_are_the_translator(portable_model, translator):
    from ai_edge_litert.interpreter import Interpreter

    version = portable_model / "1"
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    style = random.standard_normal((1, 8), np.float32)
    runner = Interpreter(str(version / "translate_style.tflite")).get_signature_runner()
    (drawn,) = runner(image=images, style=style).values()
    np.testing.assert_allclose(drawn, translator.translate(images, style), atol=1e-4)


def test_a_file_that_differs_is_refused(onnx_version, translator, tmp_path):
    model = onnx.load(onnx_version / "encode_style.onnx")
    weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(weight).copy()
    values.flat[0] += 1
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "changed.onnx")
    function = portable.functions(translator)["encode_style"]

    def difference(path):
        return portable.check("encode_style", function, lambda inputs: onnx_run(path, inputs), 3, 2)

    assert difference(onnx_version / "encode_style.onnx") < 1e-5
    with pytest.raises(UserError, match="the written encode_style differs from the run's networks by"):
        difference(tmp_path / "changed.onnx")
