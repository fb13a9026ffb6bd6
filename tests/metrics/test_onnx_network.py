"""ONNX files compute what they hold, on images as shapes and metadata ask for; others are refused in a sentence."""

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.onnx_network import OnnxFeatures, OnnxNetwork
from tests.metrics import onnx_files
from tests.metrics.onnx_files import layers, random_weights

SIZE = (12, 10)


@pytest.fixture(scope="module")
def bytes_of():
    return np.random.default_rng(0).integers(0, 256, (37, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def images(bytes_of):
    return bytes_of.astype(np.float32) / 127.5 - 1


def expected(inputs, weights=None):
    """Pooled features of inputs [N, H, W, 3]."""
    relu1 = layers(inputs.transpose(0, 3, 1, 2), weights or random_weights())[1]
    return relu1.mean(axis=(2, 3))


@pytest.mark.parametrize("outputs", [("pooled",), ("flat",)])
@pytest.mark.parametrize("shape", [("N", 3, "H", "W"), (None, 3, *SIZE), ("N", *SIZE, 3), (8, 3, *SIZE)])
def test_features(tmp_path, images, shape, outputs):
    """Any batch size of the file, either layout."""
    extractor = OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", outputs, shape), SIZE)
    assert (extractor.name, extractor.dim) == ("net.onnx", 6)
    features = extractor(images)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected(images), rtol=1e-4, atol=1e-5)


def test_range_mean_and_deviation(tmp_path, images, bytes_of):
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    metadata = {"stargan_tf.range": "[0, 1]", "stargan_tf.mean": str(mean), "stargan_tf.std": str(std), "other": "x"}
    extractor = OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", metadata=metadata), SIZE)
    normalized = (bytes_of / 255 - mean) / std
    np.testing.assert_allclose(extractor(images), expected(normalized), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.FLOAT16])
def test_other_types(tmp_path, images, bytes_of, dtype):
    extractor = OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", dtype=dtype), SIZE)
    if dtype == TensorProto.UINT8:
        np.testing.assert_allclose(extractor(images), expected(bytes_of.astype(float)), rtol=1e-4)
    else:
        np.testing.assert_allclose(extractor(images), expected(images), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("by", ["shape", "metadata"])
def test_images_are_resized_as_pillow_does(tmp_path, images, bytes_of, by):
    """As in the published evaluation: 8 bits, then bilinear."""
    shape, metadata = (("N", 3, 24, 18), {}) if by == "shape" else (("N", 3, "H", "W"), {"stargan_tf.size": "[24, 18]"})
    extractor = OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", shape=shape, metadata=metadata), SIZE)
    resized = np.stack([Image.fromarray(image).resize((18, 24), Image.Resampling.BILINEAR) for image in bytes_of])
    np.testing.assert_allclose(extractor(images), expected(resized / 127.5 - 1), rtol=1e-4, atol=1e-5)


def test_what_is_not_rounded_stays_as_it_is(tmp_path):
    images = np.random.default_rng(0).uniform(-1, 1, (2, *SIZE, 3)).astype(np.float32)
    path = onnx_files.write(tmp_path / "net.onnx", ("relu0",))
    (exact,) = OnnxNetwork(path, SIZE, rounded=False)(images)
    np.testing.assert_allclose(exact, layers(images.transpose(0, 3, 1, 2), random_weights())[0], atol=1e-5)
    (rounded,) = OnnxNetwork(path, SIZE, rounded=True)(images)
    assert 1e-3 < np.abs(rounded - exact).max() < 0.1


def test_the_hash_is_that_of_weights_and_preprocessing(tmp_path):
    def hash_of(name, **options):
        (tmp_path / name).mkdir()
        return OnnxFeatures(onnx_files.write(tmp_path / name / "net.onnx", **options), SIZE).hash

    first = hash_of("a")
    assert len(first) == 12 and int(first, 16) >= 0
    assert hash_of("b") == first
    assert hash_of("c", metadata={"stargan_tf.range": "[0, 1]"}) != first
    others = random_weights(1)
    assert hash_of("d", weights=others) != first
    assert hash_of("e", external=True) != hash_of("f", weights=others, external=True)


def test_weights_beside_the_file_are_read(tmp_path, images):
    extractor = OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", external=True), SIZE)
    assert (tmp_path / "net.onnx.data").is_file()
    np.testing.assert_allclose(extractor(images), expected(images), rtol=1e-4, atol=1e-5)
    (tmp_path / "net.onnx.data").unlink()
    with pytest.raises(UserError, match="cannot be read as an ONNX file"):
        OnnxFeatures(tmp_path / "net.onnx", SIZE)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"outputs": ("relu0", "relu1")}, "net.onnx has 2 outputs, and an extractor must have one"),
        ({"outputs": ("relu1",)}, "gives 6 x 8 x 6 for an image, not one vector"),
        ({"outputs": ("sum",)}, r"gives an output of shape \(\) for 1 images"),
        ({"shape": ("N", 3, "H")}, "cannot be read as an ONNX file: .*Transpose"),
        ({"shape": ("N", "C", "H", "W")}, "does not tell where colours are"),
        ({"shape": ("N", 3, 2, 2)}, r"net.onnx fails on images \(1, 3, 2, 2\): .*Invalid input shape"),
        ({"dtype": TensorProto.INT64}, r"takes tensor\(int64\), and must take images as tensor\(float\)"),
        ({"metadata": {"stargan_tf.range": "0 1"}}, "metadata stargan_tf.range 0 1; it must be 2 numbers"),
        ({"metadata": {"stargan_tf.std": "[1, 1, 0]"}}, "it must be 3 numbers"),
        ({"metadata": {"stargan_tf.means": "[1, 1, 1]"}}, "stargan_tf.means, which means nothing; there are range"),
    ],
)
def test_what_is_no_extractor_is_refused(tmp_path, options, complaint):
    with pytest.raises(UserError, match=complaint):
        OnnxFeatures(onnx_files.write(tmp_path / "net.onnx", **options), SIZE)


def test_no_file_and_no_network(tmp_path):
    with pytest.raises(UserError, match="there is no ONNX file"):
        OnnxFeatures(tmp_path / "net.onnx", SIZE)
    (tmp_path / "net.onnx").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read as an ONNX file"):
        OnnxFeatures(tmp_path / "net.onnx", SIZE)


def test_diverged_images_are_told(tmp_path, images):
    """Rounded to 8 bits they would be black, and look like a result."""
    broken = images[:2].copy()
    broken[1, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="not finite; the run that drew them has diverged"):
        OnnxFeatures(onnx_files.write(tmp_path / "net.onnx"), SIZE)(broken)
