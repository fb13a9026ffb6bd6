"""PyTorch files read into NumPy arrays, and written from them."""

import errno
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_file

# What PyTorch calls the class or function that a file asks for and that `weights_only` refuses.
_REFUSED = re.compile(r"GLOBAL (\S{1,80})")


def read(path: Path) -> Any:
    """Reads a PyTorch file of tensors; one that holds anything that might run code is refused.

    Args:
        path: a file that `torch.save` wrote, of the zip format or the older one.

    Returns:
        What it holds, with NumPy arrays in place of tensors: float32 for smaller floats, else of the same type.

    Raises:
        UserError: the file is missing, something else, or damaged; or PyTorch is not installed.
    """
    if not path.is_file():
        raise UserError(f"{str(path)!r} is not a file" if path.exists() else f"there is no file {str(path)!r}")
    torch = _import_torch()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a pickle protocol that PyTorch does not write
            tree = torch.load(path, map_location="cpu", weights_only=True)
        return _to_arrays(tree, torch)
    except Exception as error:  # PyTorch raises many kinds: of pickle, zip, its own, EOFError, RecursionError
        raise UserError(f"{str(path)!r} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Says in a sentence that goes on after the file's name why PyTorch did not read it."""
    if isinstance(error, _UnsuitableTensorError):
        return str(error)
    if refused := _REFUSED.search(str(error)):
        return f"holds something else than tensors ({refused[1]!r}), which might run code; it is not read"
    if isinstance(error, OSError) and error.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
    ):  # not of the file's content
        return f"cannot be read: {error.strerror}"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "announces more data than there is memory for; it is damaged, or needs a machine with more memory"
    return "is no PyTorch checkpoint, or is damaged or cut off; choose another file, or download or copy it again"


def write(path: Path, tree: Any, overwrite: bool = False) -> None:
    """Writes a PyTorch file in the older format, as the published files are: every version of PyTorch reads it.

    Args:
        path: the file; folders are made.
        tree: nested dictionaries and lists of NumPy arrays, numbers and strings.
        overwrite: whether a file that is there may be replaced.

    Raises:
        UserError: the file exists or cannot be written; or PyTorch is not installed.
    """
    check_target(path, overwrite)
    torch = _import_torch()
    with whole_file(path) as temporary, temporary.open("wb") as file:
        torch.save(_to_tensors(tree, torch), file, _use_new_zipfile_serialization=False)


def check_target(path: Path, overwrite: bool) -> None:
    """Checks that a file may be written.

    Args:
        path: the file.
        overwrite: whether it may exist.

    Raises:
        UserError: it exists, or is a directory.
    """
    if path.is_dir():
        raise UserError(f"{str(path)!r} is a directory; name a file")
    if path.exists() and not overwrite:
        raise UserError(f"{str(path)!r} exists; choose another file, or replace it with --overwrite")


def _import_torch():
    extras.require("convert", "torch")
    import torch

    return torch


class _UnsuitableTensorError(Exception):
    """Why a tensor has no equal in NumPy that networks could take."""


def _to_arrays(value: Any, torch) -> Any:
    if isinstance(value, dict):
        return {key: _to_arrays(entry, torch) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_to_arrays(entry, torch) for entry in value])
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.is_meta or value.is_complex():
            raise _UnsuitableTensorError(
                f"holds a tensor of {value.dtype}, {value.layout}, on {value.device}; weights must be dense and real"
            )
        small = value.is_floating_point() and value.itemsize < 4  # NumPy has no bfloat16
        return (value.float() if small else value).detach().numpy()
    return value


def _to_tensors(value: Any, torch) -> Any:
    if isinstance(value, dict):
        return {key: _to_tensors(entry, torch) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_to_tensors(entry, torch) for entry in value])
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value, order="C"))
    return value
