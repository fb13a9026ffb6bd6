"""What a PyTorch file announces, checked before PyTorch is handed the file.

`torch.load(weights_only=True)` runs no code, but it allocates what some files merely announce: a tensor of 10 GB in the
older format, a byte array of any length. So a file is walked through here first, without PyTorch and without
allocating: its pickle may name nothing but tensors and the containers around them, and its tensors may be no larger
than the bytes that are there. Both formats are known: the zip of PyTorch 1.6 and later, and the older one, a series of
pickles and then the numbers.
"""

import math
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from stargan_tf.base.errors import UserError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_ZIP_START = b"PK\x03\x04"
_PICKLE_START = b"\x80"
_PROTOCOL = 2

# The list of tensors of a published checkpoint takes about 0.1 MB; a longer one would only keep us busy.
_MAX_PICKLE_BYTES = 16 * 2**20
_MAX_AXES = 8

_ITEM_BYTES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
}

# What the pickles of tensors are made of. Others can allocate at will (BYTEARRAY8), or are simply not needed.
_OPCODES = (
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1),
    *(pickle.BINFLOAT, pickle.BINUNICODE, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_TUPLE),
    *(pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
    *(pickle.GLOBAL, pickle.REDUCE, pickle.BUILD, pickle.BINPERSID),
)


class _RefusedError(Exception):
    """Why a file is refused; the sentence goes on after the file's name."""


def check(path: Path) -> None:
    """Checks that a file is a PyTorch file of tensors, lists, dictionaries, numbers and strings, and is complete.

    Args:
        path: the file.

    Raises:
        UserError: there is no such file, or it is something else, damaged, or announces more than it holds.
    """
    name = repr(str(path))
    if not path.is_file():
        raise UserError(f"{name} is not a file" if path.exists() else f"there is no file {name}")
    try:
        with path.open("rb") as file:
            _check_open(file, path.stat().st_size)
    except _RefusedError as refused:
        raise UserError(f"{name} {refused}") from None
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever made-up bytes provoke in the parsers of zip files and pickles
        raise UserError(f"{name} is damaged or cut off; download or copy it again") from error


def _check_open(file: BinaryIO, size: int) -> None:
    if not size:
        raise _RefusedError("is empty")
    start = file.read(len(_ZIP_START))
    file.seek(0)
    if start == _ZIP_START:
        announced = _check_zip(file, size)
    elif start.startswith(_PICKLE_START):
        announced = _check_legacy(file, size)
    else:
        raise _RefusedError(f"is not a PyTorch file: it begins with {start!r}, not like a zip file or a pickle")
    # Tensors may share numbers, but hardly all of them; those that are converted to float32 do so no longer.
    if announced.tensor_bytes > 2 * size:
        raise _too_small(announced.tensor_bytes, size)


def _check_zip(file: BinaryIO, size: int) -> "_Announced":
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        root = names[0].split("/")[0]
        if f"{root}/data.pkl" not in names:
            raise _RefusedError("is a zip file, but not one of PyTorch: it has no data.pkl")
        # PyTorch looks names up without regard to case.
        if len({name.lower() for name in names}) < len(names):
            raise _RefusedError("has two entries of one name, which PyTorch does not write")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise _RefusedError("is compressed, which PyTorch files are not; it may be a zip file around one")
        total = sum(max(entry.file_size, entry.compress_size) for entry in entries)
        if total > size:
            raise _too_small(total, size)
        with archive.open(f"{root}/data.pkl") as stream:
            announced = _Announced(_Limited(stream, archive.getinfo(f"{root}/data.pkl").file_size))
            announced.load()
    sizes = {entry.filename: entry.file_size for entry in entries}
    for key, storage in announced.storages.items():
        if (held := sizes.get(f"{root}/data/{key}", 0)) != storage.nbytes:
            raise _too_small(storage.nbytes, held, "for a tensor")
    return announced


def _check_legacy(file: BinaryIO, size: int) -> "_Announced":
    source = _Limited(file, size)
    if _Announced(source).load() != _MAGIC_NUMBER or _Announced(source).load() != _PROTOCOL_VERSION:
        raise _RefusedError("is a pickle, but not one of PyTorch")
    _Announced(source).load()  # of the machine that wrote it
    announced = _Announced(source)
    announced.load()
    keys = _Announced(source).load()
    if sorted(keys) != sorted(announced.storages):
        raise _RefusedError("lists other tensors than it describes; it is damaged")
    for key in keys:
        storage = announced.storages[key]
        if struct.unpack("<q", file.read(8)) != (storage.numel,):
            raise _RefusedError("announces two sizes of one tensor; it is damaged")
        if file.tell() + storage.nbytes > size:
            raise _too_small(storage.nbytes, size - file.tell(), "for a tensor")
        file.seek(storage.nbytes, 1)
    return announced


def _too_small(announced: int, held: int, where: str = "of data") -> _RefusedError:
    return _RefusedError(f"announces {announced:,} bytes {where} but holds only {held:,}; it is cut off or damaged")


class _Limited:
    """Reads a file as pickles need it, and never more than is there or than a list of tensors can be long."""

    def __init__(self, file: BinaryIO, size: int):
        self._file = file
        self._left = min(size, _MAX_PICKLE_BYTES)

    def read(self, count: int) -> bytes:
        if count > self._left:
            raise EOFError
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(self._left)
        self._left -= len(line)
        return line


@dataclass(frozen=True)
class _StorageType:
    item_bytes: int


@dataclass(frozen=True)
class _Storage:
    """Numbers that tensors are views of."""

    item_bytes: int
    numel: int

    @property
    def nbytes(self) -> int:
        return self.item_bytes * self.numel


class _Tensor:
    """Stands for a tensor."""


class _Announced(pickle._Unpickler):
    """Reads a pickle without doing what it asks for: sizes of tensors and their storages are noted instead.

    The variant of the standard library that is written in Python serves because its opcodes can be restricted, and
    because its memo does not grow with the numbers it is given.
    """

    dispatch = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES}  # noqa: RUF012

    def __init__(self, source: _Limited):
        super().__init__(source)
        self.storages: dict[str, _Storage] = {}
        self.tensor_bytes = 0

    def find_class(self, module: str, name: str) -> Any:
        """Gives harmless stand-ins for the few names that tensors need."""
        if module == "torch" and name in _ITEM_BYTES:
            return _StorageType(_ITEM_BYTES[name])
        known = {
            ("collections", "OrderedDict"): dict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): self._parameter,
        }
        if (module, name) not in known:
            raise _RefusedError(
                f"holds something else than tensors ({f'{module}.{name}'[:80]!r}), which might run code; it is not read"
            )
        return known[module, name]

    def persistent_load(self, announced: tuple) -> _Storage:
        """Notes a storage."""
        kind, storage_type, key, _, numel, *view = announced
        if kind != "storage" or type(storage_type) is not _StorageType or type(key) is not str or any(view):
            raise ValueError(announced)
        storage = _Storage(storage_type.item_bytes, _size(numel))
        if self.storages.setdefault(key, storage) != storage:
            raise _RefusedError("announces two sizes of one tensor; it is damaged")
        return storage

    def _tensor(self, storage, offset, shape, strides, requires_grad=False, hooks=None, metadata=None) -> _Tensor:
        shape, strides = tuple(map(_size, shape)), tuple(map(_size, strides))
        if type(storage) is not _Storage or metadata:
            raise ValueError(storage)
        if len(shape) > _MAX_AXES:
            raise _RefusedError(f"announces a tensor of {len(shape)} axes; at most {_MAX_AXES} are read")
        numel = math.prod(shape)
        last = _size(offset) + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
        if numel > storage.numel or (numel and last >= storage.numel):
            raise _RefusedError(
                f"announces a tensor of shape {shape} where it holds only {storage.numel} numbers; it is damaged"
            )
        self.tensor_bytes += numel * storage.item_bytes
        return _Tensor()

    def _parameter(self, tensor, requires_grad, hooks) -> _Tensor:
        if type(tensor) is not _Tensor:
            raise ValueError(tensor)
        return tensor

    def _set_items(self, items: list) -> None:
        keys = items[::2]
        # A nested tuple can take forever to hash.
        if type(self.stack[-1]) is not dict or any(type(key) not in (str, int) for key in keys):
            raise ValueError("only dictionaries of names and numbers are read")
        self.stack[-1].update(zip(keys, items[1::2], strict=True))

    def _load_proto(self) -> None:
        protocol = self.read(1)[0]
        if protocol != _PROTOCOL:
            raise _RefusedError(f"is a pickle of protocol {protocol}, not {_PROTOCOL} as in the files of PyTorch")

    def _load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def _load_build(self) -> None:
        attributes = self.stack.pop()  # such as the versions of modules
        if type(self.stack[-1]) is not dict or type(attributes) is not dict:
            raise ValueError("only dictionaries have attributes")

    dispatch |= {
        pickle.PROTO[0]: _load_proto,
        pickle.SETITEM[0]: _load_setitem,
        pickle.SETITEMS[0]: _load_setitems,
        pickle.BUILD[0]: _load_build,
    }


def _size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value
