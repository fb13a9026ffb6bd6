import argparse
import io
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

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


def saved_bytes(tree, file_format) -> bytes:
    return save(tree, io.BytesIO(), file_format).getvalue()


class Command:
    """An object whose pickle runs a command when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def refusal(path: Path, data: bytes) -> str:
    """Returns the sentence by which a file of this content is refused, without its name."""
    path.write_bytes(data)
    with pytest.raises(UserError) as raised:
        torch_files.read(path)
    message = str(raised.value)
    assert message.startswith(f"{str(path)!r} ") and "\n" not in message and len(message) < 400
    return message.removeprefix(f"{str(path)!r} ")


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


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle 2", "pickle 4"])
def test_a_pickle_that_would_run_a_command_does_not(kind, tmp_path):
    marker = tmp_path / "marker"
    tree = {"generator": {"from_rgb.weight": torch.zeros(3)}, "more": Command(marker)}
    data = saved_bytes(tree, kind) if kind in FORMATS else pickle.dumps(Command(marker), int(kind[-1]))
    sentence = refusal(tmp_path / "file.ckpt", data)
    if kind != "pickle 4":
        assert sentence == "holds something else than tensors ('posix.system'), which might run code; it is not read"
    assert not marker.exists()
    # The file would have done it:
    if kind.startswith("pickle"):
        pickle.loads(data)
        assert marker.exists()


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (argparse.Namespace(a=1), "argparse.Namespace"),
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (np.zeros(3), "numpy"),
        (torch.zeros(2, 2).to_sparse(), "torch.sparse_coo"),
        (torch.zeros(2, dtype=torch.complex64), "torch.complex64"),
        (torch.zeros(2, device="meta"), "on meta"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_dense_real_tensor_is_named(thing, name, file_format, tmp_path):
    sentence = refusal(tmp_path / "file.ckpt", saved_bytes({"a": thing}, file_format))
    assert sentence.startswith("holds ") and name in sentence


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99, 0.9999])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_truncated_file(share, file_format, tmp_path):
    data = saved_bytes({f"layer{index}.weight": torch.ones(40, 40) for index in range(20)}, file_format)
    assert "is damaged or cut off" in refusal(tmp_path / "file.ckpt", data[: int(share * len(data))])


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html><p>Quota exceeded",
        b"PK\x03\x04 and no more",
        b"\x80\x02",
        pickle.dumps({"a": 1}, 2),
        pickle.dumps({"a": 1}, 4),
        zipped("folder/photo.png"),
    ],
)
def test_no_pytorch_file_at_all(data, tmp_path):
    assert "is no PyTorch checkpoint, or is damaged" in refusal(tmp_path / "file.ckpt", data)


def test_no_file_at_all(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (("", "is not a file"), ("missing.ckpt", "there is no file"), ("pipe", "is not a file")):
        with pytest.raises(UserError, match=sentence):
            torch_files.read(tmp_path / name)


@pytest.mark.parametrize("numbers", [2_500_000_000, 10**13])
def test_a_legacy_file_that_announces_more_than_it_holds(numbers, tmp_path):
    """One of 10 GB, which may fit the memory, and one that fits none."""
    # The length stands in the pickle, as a short number, and before the tensor's own bytes.
    data = saved_bytes({"a": torch.zeros(1000)}, "legacy").replace(
        b"M\xe8\x03", b"\x8a\x08" + numbers.to_bytes(8, "little")
    )
    lying = data[:-4008] + struct.pack("<q", numbers) + data[-4000:]
    for content in (lying, data):  # in the latter, the two lengths contradict each other
        assert "is damaged" in refusal(tmp_path / "file.ckpt", content)


def test_too_little_memory(tmp_path, monkeypatch):
    def load(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(torch, "load", load)
    assert "announces more data than there is memory for" in refusal(tmp_path / "file.ckpt", b"")


def test_lists_in_themselves(tmp_path):
    loop = []
    loop.append(loop)
    assert "is damaged" in refusal(tmp_path / "file.ckpt", saved_bytes(loop, "zip"))


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


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "nets.ckpt"
    path.write_bytes(b"anything")
    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(UserError, match=r"nets\.ckpt' cannot be read: Permission denied$"):
        torch_files.read(path)
