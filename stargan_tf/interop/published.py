"""What the files of published checkpoints hold: networks, each a dictionary of tensors by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.interop import torch_files
from stargan_tf.runs.run_directory import FACE_NETWORK_FILE

FACE_NETWORK = "fan"
DISCRIMINATOR = "discriminator"

_REQUIRED = ("generator", "mapping_network", "style_encoder")
_KNOWN = (*_REQUIRED, DISCRIMINATOR, FACE_NETWORK)

_PREFIX = "module."  # of weights that were saved from torch.nn.DataParallel
_COUNTER = "num_batches_tracked"  # of batch normalization; no output depends on it

_SHOWN = 4


def networks(tree: Any) -> dict[str, dict[str, np.ndarray]]:
    """Extracts the networks from a checkpoint.

    Args:
        tree: what a `*_nets.ckpt` or `*_nets_ema.ckpt` holds, see `torch_files.read`.

    Returns:
        `{"generator": {name: array}, ...}` in the order of the file, with `discriminator` and `fan` if it has them.

    Raises:
        UserError: it holds something else.
    """
    names = list(tree) if isinstance(tree, Mapping) else [f"a {type(tree).__name__}"]
    missing = [name for name in _REQUIRED if name not in names]
    if missing == list(_REQUIRED):
        raise UserError(
            f"this is no StarGAN v2 checkpoint, which would hold {', '.join(_REQUIRED)}; it holds {_few(names)}"
        )
    if missing:
        raise UserError(f"the checkpoint holds no {' and no '.join(missing)}; it holds {_few(names)}")
    if unknown := [name for name in names if name not in _KNOWN]:
        raise UserError(f"the checkpoint holds {_few(unknown)}, which is not known; known are {', '.join(_KNOWN)}")
    return {name: _state(tree[name], name) for name in names}


def read_face_network(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a face network from whatever has one.

    Args:
        path: a published PyTorch file (which needs PyTorch), a run directory that has a face network, or its file.

    Returns:
        The tensors by published name, in the published layout.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    if path.is_file() and path.suffix != Path(FACE_NETWORK_FILE).suffix:
        return face_network(torch_files.read(path))
    from stargan_tf.runs import face_network as of_runs  # here, since it needs TensorFlow

    return of_runs.read(path)


def face_network(tree: Any) -> dict[str, np.ndarray]:
    """Extracts the face network from a file of its own.

    Args:
        tree: what the file holds, see `torch_files.read`: the tensors by name, or these under `fan` or `state_dict`.

    Returns:
        The tensors by name.

    Raises:
        UserError: it holds something else.
    """
    for name in (FACE_NETWORK, "state_dict"):
        if isinstance(tree, Mapping) and isinstance(tree.get(name), Mapping):
            return _state(tree[name], name)
    return _state(tree, "the face network")


def _state(tensors: Any, network: str) -> dict[str, np.ndarray]:
    if not isinstance(tensors, Mapping):
        raise UserError(f"{network} should be tensors by name, but is a {type(tensors).__name__}")
    others = [name for name, tensor in tensors.items() if not isinstance(tensor, np.ndarray)]
    if others or not tensors:
        raise UserError(f"{network} should be tensors by name, but holds {_few(others)}")
    state = {}
    for name, tensor in tensors.items():
        plain = str(name).removeprefix(_PREFIX)
        if plain in state:
            raise UserError(f"{network} holds {plain!r} twice, with and without the prefix {_PREFIX!r}")
        if plain.rpartition(".")[2] != _COUNTER:
            state[plain] = tensor
    return state


def _few(names: list) -> str:
    """Lists the first names only, since another network can have hundreds of tensors."""
    shown = ", ".join(str(name)[:60] for name in names[:_SHOWN]) or "nothing"
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
