"""PyTorch files read into NumPy arrays, and written from them."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import extras
from stargan_tf.base.errors import UserError
from stargan_tf.interop import torch_format

# Published files are nested five deep (an optimizer's groups); deeper ones, or ones that refer to the same list again
# and again, would only keep us busy.
_MAX_DEPTH = 8
_MAX_ENTRIES = 1_000_000


def read(path: Path) -> Any:
    """Reads a PyTorch file; one that wants to run code, or announces more than it holds, is refused before.

    Args:
        path: a file that `torch.save` wrote, of the zip format or the older one.

    Returns:
        What it holds, with NumPy arrays in place of tensors: float32 for half and bfloat16, else of the same type.

    Raises:
        UserError: the file is missing, something else, or damaged; or PyTorch is not installed.
    """
    torch_format.check(path)
    torch = _import_torch()
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
        return _Arrays(torch).convert(tree)
    except Exception as error:  # PyTorch has many, and none that says just this
        raise UserError(f"PyTorch cannot read {str(path)!r}; it is damaged, or of a kind that is not known") from error


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
    # Renamed when complete: a crash must not leave half a file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                torch.save(_to_tensors(tree, torch), file, _use_new_zipfile_serialization=False)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error


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


class _Arrays:
    """Turns tensors into arrays; a tensor that occurs twice becomes one array."""

    def __init__(self, torch):
        self._torch = torch
        self._arrays: dict[int, np.ndarray] = {}
        self._entries = 0

    def convert(self, value: Any, depth: int = 0) -> Any:
        """Converts a tree."""
        self._entries += 1
        if depth > _MAX_DEPTH or self._entries > _MAX_ENTRIES:
            raise ValueError("nested too deep, or too many entries")
        if isinstance(value, dict):
            return {key: self.convert(entry, depth + 1) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self.convert(entry, depth + 1) for entry in value])
        if isinstance(value, self._torch.Tensor):
            if id(value) not in self._arrays:
                # NumPy knows no bfloat16.
                small = value.dtype in (self._torch.bfloat16, self._torch.float16)
                self._arrays[id(value)] = (value.float() if small else value).detach().numpy()
            return self._arrays[id(value)]
        return value


def _to_tensors(value: Any, torch) -> Any:
    if isinstance(value, dict):
        return {key: _to_tensors(entry, torch) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_to_tensors(entry, torch) for entry in value])
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value, order="C"))
    return value
