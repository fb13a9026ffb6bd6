"""The files for other runtimes, each run in its own."""

import json

import numpy as np
import onnx
import pytest

from stargan_tf import export
from stargan_tf.base.errors import UserError
from stargan_tf.serving import portable

NAMES = {"translate_style", "encode_style", "map_latent"}


@pytest.fixture(scope="module")
def onnx_version(trained_run, tmp_path_factory):
    model = tmp_path_factory.mktemp("onnx") / "stargan"
    export.run(export.Arguments(run=str(trained_run), output=str(model), format="onnx"))
    return model / "1"


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


def test_litert_files_are_the_translator(trained_run, translator, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    export.run(export.Arguments(run=str(trained_run), output=str(tmp_path / "stargan"), format="litert"))
    version = tmp_path / "stargan" / "1"
    assert {path.stem for path in version.glob("*.tflite")} == NAMES
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
