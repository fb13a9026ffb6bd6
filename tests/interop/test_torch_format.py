"""Files that are damaged, or made to do harm: refused before PyTorch sees them."""

import argparse
import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf.base.errors import UserError
from stargan_tf.interop import torch_files
from tests.interop.test_torch_files import FORMATS, save


def saved_bytes(tree, file_format) -> bytes:
    buffer = io.BytesIO()
    save(tree, buffer, file_format)
    return buffer.getvalue()


def rewrite(data: bytes, change_pickle=lambda data: data, change_name=lambda name: name, **options) -> bytes:
    """Writes a zip file anew, with another pickle or other names or compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", **options) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(change_name(name), change_pickle(content) if name.endswith("data.pkl") else content)
    return buffer.getvalue()


def refuse(path, data: bytes | None, sentence: str, monkeypatch) -> None:
    """Checks that a file is refused before PyTorch sees it, in one sentence that names it, without taking memory."""
    if data is not None:
        path.write_bytes(data)

    def must_not_be_called(*args, **kwargs):
        raise AssertionError("PyTorch was handed the file")

    monkeypatch.setattr(torch, "load", must_not_be_called)
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as raised:
            torch_files.read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(raised.value)
    assert repr(str(path)) in message and "\n" not in message
    assert sentence in message
    assert peak < 50e6


class Command:
    """An object whose pickle runs a command when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle 2", "pickle 4"])
def test_a_pickle_that_would_run_a_command_does_not(kind, tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    tree = {"generator": {"from_rgb.weight": torch.zeros(3)}, "more": Command(marker)}
    if kind in FORMATS:
        data, sentence = saved_bytes(tree, kind), "holds something else than tensors ('posix.system')"
    else:
        data = pickle.dumps(Command(marker), int(kind[-1]))
        sentence = "('posix.system')" if kind == "pickle 2" else "is a pickle of protocol 4, not 2"
    refuse(tmp_path / "file.ckpt", data, sentence, monkeypatch)
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
        (torch.zeros(2, 2).to_sparse(), "torch._utils._rebuild_sparse_tensor"),
        (torch.zeros(2, dtype=torch.complex64), "torch.ComplexFloatStorage"),
        (torch.zeros(2, device="meta"), "torch._utils._rebuild_meta_tensor_no_storage"),
        (bytearray(3), "__builtin__.bytearray"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_objects_than_tensors_are_named(thing, name, file_format, tmp_path, monkeypatch):
    refuse(tmp_path / "file.ckpt", saved_bytes({"a": thing}, file_format), f"({name!r}"[:-1], monkeypatch)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99, 0.9999])
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_truncated_file(share, file_format, tmp_path, monkeypatch):
    tensors = {f"layer{index}.weight": torch.ones(40, 40) for index in range(20)}
    data = saved_bytes(tensors, file_format)
    refuse(tmp_path / "file.ckpt", data[: int(share * len(data))], "cut off", monkeypatch)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><p>Quota exceeded", "is not a PyTorch file: it begins with b'<!DO'"),
        (b"PK\x03\x04 and no more", "is damaged or cut off"),
        (b"\x80\x02", "is damaged or cut off"),
        (pickle.dumps({"a": 1}, 2), "is a pickle, but not one of PyTorch"),
        (pickle.dumps({"a": 1}), "is a pickle of protocol 4"),
    ],
)
def test_no_pytorch_file_at_all(data, sentence, tmp_path, monkeypatch):
    refuse(tmp_path / "file.ckpt", data, sentence, monkeypatch)


def test_no_file_at_all(tmp_path, monkeypatch):
    refuse(tmp_path, None, "is not a file", monkeypatch)
    refuse(tmp_path / "missing.ckpt", None, "there is no file", monkeypatch)
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", None, "is not a file", monkeypatch)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("folder/photo.png", b"x")
    refuse(tmp_path / "photos.zip", other.getvalue(), "it has no data.pkl", monkeypatch)


def test_zip_files_that_pytorch_does_not_write(tmp_path, monkeypatch):
    path = tmp_path / "file.ckpt"
    data = saved_bytes({"a": torch.zeros(50_000_000)}, "zip")
    bomb = rewrite(data, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1e6 < 100e6 < len(data)
    del data
    refuse(path, bomb, "is compressed", monkeypatch)

    small = saved_bytes({"a": torch.zeros(3)}, "zip")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = rewrite(small, change_name=lambda name: "archive/data.pkl" if name.endswith("version") else name)
    refuse(path, twice, "two entries of one name", monkeypatch)
    refuse(
        path,
        rewrite(small, change_name=lambda name: "archive/DATA.pkl" if name.endswith("/version") else name),
        "two entries of one name",
        monkeypatch,
    )
    # The directory at the end announces more than there is.
    entry = small.rindex(b"PK\x01\x02", 0, small.index(b"archive/data/0", small.index(b"PK\x01\x02")))
    announced = struct.pack("<II", 2_000_000_000, 2_000_000_000)
    lying = small[: entry + 20] + announced + small[entry + 28 :]
    refuse(path, lying, "announces 2,000,0", monkeypatch)


TEN_GIGABYTES = 2_500_000_000  # float32
# How pickles write 1000 and the larger number.
OLD, NEW = b"M\xe8\x03", b"\x8a\x05" + TEN_GIGABYTES.to_bytes(5, "little")


def test_ten_gigabytes_announced_in_a_zip(tmp_path, monkeypatch):
    path, data = tmp_path / "file.ckpt", saved_bytes({"a": torch.zeros(1000)}, "zip")
    lying = rewrite(data, lambda content: content.replace(OLD, NEW))
    refuse(path, lying, "announces 10,000,000,000 bytes for a tensor but holds only", monkeypatch)
    # The tensor alone, whose storage is as it was.
    half = rewrite(data, lambda content: NEW.join(content.rsplit(OLD, 1)))
    assert half.count(NEW) == 1
    refuse(path, half, "of shape (2500000000,) where it holds only 1000 numbers", monkeypatch)


def test_ten_gigabytes_announced_in_a_legacy_file(tmp_path, monkeypatch):
    data = saved_bytes({"a": torch.zeros(1000)}, "legacy").replace(OLD, NEW)
    refuse(tmp_path / "file.ckpt", data, "announces two sizes of one tensor", monkeypatch)
    data = data[:-4008] + struct.pack("<q", TEN_GIGABYTES) + data[-4000:]
    refuse(tmp_path / "file.ckpt", data, "announces 10,000,000,000 bytes for a tensor but holds only", monkeypatch)


def test_a_legacy_header_that_contradicts_the_pickle(tmp_path, monkeypatch):
    data = saved_bytes({"a": torch.zeros(1000)}, "legacy")
    data = data[:-4008] + struct.pack("<q", TEN_GIGABYTES) + data[-4000:]
    refuse(tmp_path / "file.ckpt", data, "announces two sizes of one tensor", monkeypatch)


@pytest.mark.parametrize("file_format", FORMATS)
def test_few_numbers_expanded_to_many(file_format, tmp_path, monkeypatch):
    path = tmp_path / "file.ckpt"
    expanded = torch.zeros(1).expand(50_000, 50_000)  # by stride 0
    refuse(
        path, saved_bytes({"a": expanded}, file_format), "of shape (50000, 50000) where it holds only 1", monkeypatch
    )
    shared = torch.zeros(10_000, dtype=torch.float16)
    views = {str(index): shared[:9_999] for index in range(500)}
    refuse(path, saved_bytes(views, file_format), "announces 9,999,000 bytes of data", monkeypatch)
    axes = torch.zeros(1).reshape([1] * 60)
    refuse(path, saved_bytes({"a": axes}, file_format), "a tensor of 60 axes", monkeypatch)


def legacy_header() -> bytes:
    """What comes before the tree's pickle in a file of the older format."""
    start = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001}]
    return b"".join(pickle.dumps(value, 2) for value in start)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02r\xff\xff\xff\xff.",  # a place in the memo far away
        b"\x80\x02\x96" + struct.pack("<Q", 10**10) + b".",  # ten gigabytes of zeros
        b"\x80\x02X\xff\xff\xff\xffabc.",  # a string of four gigabytes
        b"\x80\x02})" + b"q\x00h\x00\x86" * 20 + b"K\x01s.",  # a key that takes forever to hash
        b"\x80\x02K\x01K\x02\x86R.",  # a call of a number
        b"\x80\x02]K\x01Q.",  # a tensor of nowhere
    ],
)
def test_pickles_made_to_do_harm(content, tmp_path, monkeypatch):
    keys = pickle.dumps([], 2)
    refuse(tmp_path / "file.ckpt", legacy_header() + content + keys, "is damaged or cut off", monkeypatch)


def test_lists_that_grow_without_end(tmp_path):
    deep = many = []
    for _ in range(50):
        deep, many = [deep], [many, many]
    loop = []
    loop.append(loop)
    wide = [[[0] * 1001] * 1000]
    for tree in (deep, many, loop, wide):
        with pytest.raises(UserError, match="PyTorch cannot read"):
            torch_files.read(save(tree, tmp_path / "file.ckpt", "zip"))
