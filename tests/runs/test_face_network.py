from dataclasses import replace

import keras
import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, ModelConfig
from stargan_tf.networks import published_names
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import face_network

pytestmark = pytest.mark.slow

CONFIG = Config(domains=("a", "b"), model=ModelConfig(image_size=32, num_domains=2, w_hpf=1.0))


def tensors_of(network) -> dict[str, np.ndarray]:
    return published_names.extract({"fan": network})["fan"]


@pytest.fixture(scope="module")
def tensors():
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    shapes = {name: tensor.shape for name, tensor in tensors_of(FaceNetwork()).items()}
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def test_saved_and_loaded_again(tensors, run):
    face_network.save(tensors, run)
    assert [path.name for path in run.iterdir()] == ["face_network.npz"]
    for source in (run, run / "face_network.npz"):
        loaded = tensors_of(face_network.load(source))
        assert loaded.keys() == tensors.keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(loaded[name], tensor, err_msg=name)
    assert face_network.load(run, "mixed_bfloat16").compute_dtype == "bfloat16"


def test_what_does_not_fit_is_not_saved(tensors, run):
    wrong = {**tensors, "l0.bias": np.zeros(98)}
    del wrong["bn1.running_var"]
    with pytest.raises(UserError, match=r"no face network.*missing: fan/bn1.running_var.*l0.bias is \(98,\)"):
        face_network.save(wrong, run)
    assert list(run.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_a_file_that_cannot_be_read(run, content):
    (run / "face_network.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"face_network.npz' cannot be read"):
        face_network.load(run)


def test_a_pickle_is_not_run(run):
    np.savez(run / "face_network.npz", **{"l0.bias": np.array([{"a": 1}], object)})
    with pytest.raises(UserError, match="cannot be read"):
        face_network.load(run)


def test_a_missing_file(run):
    with pytest.raises(UserError, match="there is no face network at"):
        face_network.load(run)
    with pytest.raises(UserError, match=r"has a high-pass skip but no face_network.npz"):
        face_network.load_for(CONFIG, run)


def test_models_without_masks_need_none(run):
    for changes in ({"w_hpf": 0.0}, {"face_masks": False}):
        config = replace(CONFIG, model=replace(CONFIG.model, **changes))
        assert face_network.load_for(config, run) is None
        assert face_network.choose(config, run, None) is None
        with pytest.raises(UserError, match="is of no use"):
            face_network.choose(config, run, run)


def test_the_user_chooses(tensors, run, tmp_path):
    with pytest.raises(UserError, match=r"--face_network FILE, or train without masks by --model.face_masks false"):
        face_network.choose(CONFIG, run, None)

    given = tmp_path / "given"
    given.mkdir()
    face_network.save(tensors, given)
    chosen = face_network.choose(CONFIG, run, given)
    assert chosen.keys() == tensors.keys()
    assert list(run.iterdir()) == []  # nothing is written yet

    face_network.save(chosen, run)
    assert face_network.choose(CONFIG, run, None) is None
    assert face_network.choose(CONFIG, run, given) is None
    assert face_network.choose(CONFIG, run, tmp_path / "gone") is None
    face_network.save({**tensors, "l0.bias": tensors["l0.bias"] + 1}, given)
    with pytest.raises(UserError, match="another network than the one the run has"):
        face_network.choose(CONFIG, run, given)
