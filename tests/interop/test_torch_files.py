import pickle
import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf.base.errors import UserError
from stargan_tf.interop import torch_files

FORMATS = {"zip": True, "legacy": False}


def save(tree, path, file_format):
    torch.save(tree, path, _use_new_zipfile_serialization=FORMATS[file_format])
    return path


def equal(one, other) -> bool:
    """Compares trees, their types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other


@pytest.mark.parametrize("file_format", FORMATS)
def test_reading_what_torch_writes(file_format, tmp_path):
    random = np.random.default_rng(0)
    numbers = random.standard_normal((2, 3, 4)).astype(np.float32)
    tensor = torch.from_numpy(numbers)
    integers = np.array([1, 2**40, -3])
    tree = {
        "nested": {"tensor": tensor, 5: [1, 2.5, None, True, "text"], "tuple": (0.0, 0.99), "empty": {}},
        "view": tensor[1, :, 1:3],
        "transposed": tensor.permute(2, 0, 1),
        "again": tensor,
        "parameter": torch.nn.Parameter(tensor[0]),
        "double": tensor.double(),
        "half": tensor.half(),
        "bfloat16": tensor.bfloat16(),
        "integers": torch.from_numpy(integers),
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(7.0),
        "nothing": torch.zeros(0, 3),
        "address": 140_000_000_000_000,
    }
    expected = {
        "nested": {"tensor": numbers, 5: [1, 2.5, None, True, "text"], "tuple": (0.0, 0.99), "empty": {}},
        "view": numbers[1, :, 1:3],
        "transposed": numbers.transpose(2, 0, 1),
        "again": numbers,
        "parameter": numbers[0],
        "double": numbers.astype(np.float64),
        "half": numbers.astype(np.float16).astype(np.float32),
        # Round to nearest even in the upper half of the bits.
        "bfloat16": ((numbers.view(np.uint32) + 0x7FFF + (numbers.view(np.uint32) >> 16 & 1)) & 0xFFFF0000).view(
            np.float32
        ),
        "integers": integers,
        "bytes": np.array([0, 255], np.uint8),
        "flags": np.array([True, False]),
        "scalar": np.array(7.0, np.float32),
        "nothing": np.zeros((0, 3), np.float32),
        "address": 140_000_000_000_000,
    }
    read = torch_files.read(save(tree, tmp_path / "file.ckpt", file_format))
    assert [name for name in expected if not equal(read[name], expected[name])] == []
    assert read.keys() == expected.keys()
    assert read["again"] is read["nested"]["tensor"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_reading_modules_and_optimizers(file_format, tmp_path):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(module.parameters(), betas=(0.0, 0.99))
    module(torch.randn(2, 3, 8, 8)).square().sum().backward()
    optimizer.step()
    tree = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
    assert module.state_dict()._metadata  # attributes of the dictionary, which the pickle has too
    read = torch_files.read(save(tree, tmp_path / "file.ckpt", file_format))
    assert list(read["module"]) == list(module.state_dict())
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(read["module"][name], tensor.numpy())
    state = read["optimizer"]["state"][2]
    assert state["step"] == 1 and read["optimizer"]["param_groups"][0]["params"] == [0, 1, 2, 3]
    np.testing.assert_array_equal(state["exp_avg_sq"], optimizer.state_dict()["state"][2]["exp_avg_sq"].numpy())


def test_what_is_written_is_read_by_torch_and_by_us(tmp_path):
    random = np.random.default_rng(1)
    tree = {
        "weights": {"transposed": random.standard_normal((3, 5)).astype(np.float32).T, "scalar": np.array(2.5)},
        "read-only": np.broadcast_to(np.float32(3), (2, 2)),
        "groups": [{"betas": (0.0, 0.99), "step": 100_000, "name": "adam", "fused": None, "flag": False}],
    }
    path = tmp_path / "new" / "folder" / "file.ckpt"
    torch_files.write(path, tree)
    assert equal(torch_files.read(path), tree)
    loaded = torch.load(path, weights_only=True)
    np.testing.assert_array_equal(loaded["weights"]["transposed"].numpy(), tree["weights"]["transposed"])
    assert loaded["weights"]["transposed"].is_contiguous()
    assert loaded["groups"] == tree["groups"]
    assert path.read_bytes()[:2] == b"\x80\x02"  # the older format, a pickle
    assert [entry.name for entry in path.parent.iterdir()] == ["file.ckpt"]


def test_nothing_is_overwritten_unless_told(tmp_path):
    path = tmp_path / "file.ckpt"
    path.write_text("precious")
    with pytest.raises(UserError, match=r"exists; choose another file, or replace it with --overwrite"):
        torch_files.write(path, {})
    assert path.read_text() == "precious"
    torch_files.write(path, {"a": 1}, overwrite=True)
    assert torch_files.read(path) == {"a": 1}
    with pytest.raises(UserError, match="is a directory; name a file"):
        torch_files.write(tmp_path, {}, overwrite=True)


def test_a_failure_leaves_no_file(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(UserError, match="cannot be written: "):
        torch_files.write(tmp_path / "folder" / "file.ckpt", {})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        torch_files.write(tmp_path / "file.ckpt", {"a": lambda: None})
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_without_torch_the_user_is_told_how_to_get_it(tmp_path, monkeypatch):
    path = save({"a": 1}, tmp_path / "file.ckpt", "zip")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UserError, match=r"pip install 'stargan-tf\[convert\]'"):
        torch_files.read(path)
