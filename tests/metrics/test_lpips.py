"""LPIPS is that of the paper's equation, written out; the mean over pairs is that over all pairs."""

import itertools

import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.metrics.lpips import Lpips
from stargan_tf.metrics.perceptual import mean_pairwise
from tests.metrics import onnx_files
from tests.metrics.onnx_files import CHANNELS, layers, random_weights

SIZE = (9, 11)


@pytest.fixture(scope="module")
def linear():
    rng = np.random.default_rng(1)
    return {f"lin{index}": rng.uniform(0, 1, (1, count, 1, 1)) for index, count in enumerate(CHANNELS)}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).uniform(-1, 1, (5, *SIZE, 3)).astype(np.float32)


def make(directory, linear, outputs=("relu0", "relu1"), **options) -> Lpips:
    np.savez(directory / "linear.npz", **linear)
    return Lpips(onnx_files.write(directory / "net.onnx", outputs, **options), directory / "linear.npz", SIZE)


def written_out(a, b, linear) -> float:
    """Equation 1, place by place, of two images [H, W, 3]."""
    total = 0.0
    pairs = zip(
        *(layers(image.transpose(2, 0, 1)[None].astype(float), random_weights()) for image in (a, b)), strict=True
    )
    for index, (layer_a, layer_b) in enumerate(pairs):
        _, _, height, width = layer_a.shape
        for y, x in itertools.product(range(height), range(width)):
            at_a, at_b = layer_a[0, :, y, x], layer_b[0, :, y, x]
            unit_a, unit_b = at_a / max(np.linalg.norm(at_a), 1e-9), at_b / max(np.linalg.norm(at_b), 1e-9)
            total += (linear[f"lin{index}"].ravel() * (unit_a - unit_b) ** 2).sum() / (height * width)
    return total


@pytest.mark.parametrize(
    ("shape", "outputs"), [(("N", 3, "H", "W"), ("relu0", "relu1")), (("N", *SIZE, 3), ("last0", "last1"))]
)
def test_it_is_that_of_the_paper(tmp_path, linear, images, shape, outputs):
    lpips = make(tmp_path, linear, outputs, shape=shape)
    features = lpips.features(images)
    found = lpips.distance([layer[:2] for layer in features], [layer[2:4] for layer in features])
    expected = [written_out(images[0], images[2], linear), written_out(images[1], images[3], linear)]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_mean_over_pairs(tmp_path, linear, images):
    lpips = make(tmp_path, linear)
    expected = np.mean([written_out(a, b, linear) for a, b in itertools.combinations(images, 2)])
    assert mean_pairwise(lpips, images) == pytest.approx(expected, rel=1e-4)
    assert mean_pairwise(lpips, np.repeat(images[:1], 3, axis=0)) == 0
    with pytest.raises(UserError, match="at least 2 images, and there is 1"):
        mean_pairwise(lpips, images[:1])


def test_where_nothing_is_seen_nothing_differs(tmp_path, linear, images):
    """Features that are zero everywhere have no direction."""
    weights = [np.zeros_like(kernel) for kernel in random_weights()]
    assert mean_pairwise(make(tmp_path, linear, weights=weights), images) == 0


def test_the_linear_weights_belong_to_the_hash(tmp_path, linear):
    first = make(tmp_path, linear)
    assert first.name == "net.onnx" and len(first.hash) == 12
    assert make(tmp_path, {name: array.ravel() for name, array in linear.items()}).hash == first.hash
    assert make(tmp_path, linear | {"lin0": 2 * linear["lin0"]}).hash != first.hash


@pytest.mark.parametrize(
    ("changes", "outputs", "complaint"),
    [
        ({}, ("relu0", "pooled", "relu1"), "outputs of net.onnx have 4, 6, 6 channels, and .* linear.npz are for 4, 6"),
        ({"lin0": np.ones(5)}, ("relu0", "relu1"), "have 4, 6 channels, and .* are for 5, 6"),
        ({"lin1": -np.ones(6)}, ("relu0", "relu1"), "not all finite and at least 0"),
        ({"lin3": np.ones(6)}, ("relu0", "relu1"), "hold lin0, lin1, lin3; they must be lin0, lin1 and so on"),
        ({}, ("relu0", "flat"), r"has an output of shape \(1, 6\); a layer of LPIPS has four axes"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, linear, changes, outputs, complaint):
    with pytest.raises(UserError, match=complaint):
        make(tmp_path, linear | changes, outputs)


def test_files_that_are_none(tmp_path):
    network = onnx_files.write(tmp_path / "net.onnx", ("relu0",))
    with pytest.raises(UserError, match="there is no file of linear weights"):
        Lpips(network, tmp_path / "linear.npz", SIZE)
    (tmp_path / "linear.npz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"cannot be read as an \.npz file"):
        Lpips(network, tmp_path / "linear.npz", SIZE)
    np.save(tmp_path / "linear.npy", np.ones(4))
    with pytest.raises(UserError, match=r"cannot be read as an \.npz file"):
        Lpips(network, tmp_path / "linear.npy", SIZE)
