import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf.base.errors import UserError
from stargan_tf.interop import published

TENSORS = {"b.weight": np.ones(2), "a.weight": np.zeros((1, 2)), "c.bias": np.zeros(3)}
CHECKPOINT = dict.fromkeys(("generator", "mapping_network", "style_encoder"), TENSORS)


def test_networks_come_as_they_are_in_the_order_of_the_file():
    tree = CHECKPOINT | {"discriminator": TENSORS, "fan": TENSORS}
    found = published.networks(tree)
    assert list(found) == list(tree)
    for tensors in found.values():
        assert list(tensors) == ["b.weight", "a.weight", "c.bias"]
        assert all(tensors[name] is TENSORS[name] for name in tensors)


def test_prefixes_and_counters_are_left_out():
    wrapped = {f"module.{name}": tensor for name, tensor in TENSORS.items()}
    wrapped |= {"module.bn.num_batches_tracked": np.array(5), "num_batches_tracked": np.array(5)}
    found = published.networks(CHECKPOINT | {"generator": wrapped})
    assert list(found["generator"]) == list(TENSORS)
    inside = {"x.module.weight": np.ones(2)}
    assert list(published.networks(CHECKPOINT | {"generator": inside})["generator"]) == ["x.module.weight"]


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (
            {f"layer{number}.weight": np.zeros(2) for number in range(60)},
            "this is no StarGAN v2 checkpoint, which would hold generator, mapping_network, style_encoder; it holds "
            "layer0.weight, layer1.weight, layer2.weight, layer3.weight and 56 more",
        ),
        (np.zeros(3), "it holds a ndarray"),
        ({}, "it holds nothing"),
        ({"generator": TENSORS}, "the checkpoint holds no mapping_network and no style_encoder; it holds generator"),
        (CHECKPOINT | {"epoch": 5}, "the checkpoint holds epoch, which is not known; known are generator, mapping"),
        (CHECKPOINT | {"generator": 5}, "generator should be tensors by name, but is a int"),
        (CHECKPOINT | {"generator": {}}, "generator should be tensors by name, but holds nothing"),
        (CHECKPOINT | {"generator": {"state": {}, "param_groups": []}}, "but holds state, param_groups"),
        (CHECKPOINT | {"fan": {"a": np.ones(1), "module.a": np.ones(1)}}, "fan holds 'a' twice"),
    ],
)
def test_a_file_of_something_else(tree, sentence):
    with pytest.raises(UserError) as raised:
        published.networks(tree)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("key", [None, "fan", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_face_network_of_its_own(key, prefix):
    tensors = {f"{prefix}{name}": tensor for name, tensor in TENSORS.items()}
    tensors |= {f"{prefix}bn1.num_batches_tracked": np.array(3)}
    tree = tensors if key is None else {key: tensors, "epoch": 7, "arch": "fan"}
    found = published.face_network(tree)
    assert list(found) == list(TENSORS)
    assert found["a.weight"] is TENSORS["a.weight"]


def test_a_face_network_is_read_from_a_pytorch_file_a_run_or_its_file(tmp_path):
    torch.save({name: torch.from_numpy(tensor) for name, tensor in TENSORS.items()}, tmp_path / "wing.ckpt")
    run = tmp_path / "run"
    run.mkdir()
    np.savez(run / "face_network.npz", **TENSORS)
    for path in (tmp_path / "wing.ckpt", run, run / "face_network.npz"):
        found = published.read_face_network(path)
        assert list(found) == list(TENSORS)
        assert all(np.array_equal(found[name], tensor) for name, tensor in TENSORS.items())
    for path in (tmp_path, tmp_path / "missing.ckpt", tmp_path / "missing.npz"):
        with pytest.raises(UserError, match="there is no face network at"):
            published.read_face_network(path)


def test_no_face_network():
    for tree in ([], {}, {"epoch": 5, "weights": {}}):
        with pytest.raises(UserError, match="should be tensors by name"):
            published.face_network(tree)
