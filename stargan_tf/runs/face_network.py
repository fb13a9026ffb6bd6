"""The face alignment network on disk: a file of published names that needs no PyTorch, one in each run that uses it."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stargan_tf.base import writing
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config
from stargan_tf.interop import pytorch
from stargan_tf.networks.face_alignment import FaceAlignmentNetwork
from stargan_tf.runs.run_directory import FACE_NETWORK_FILE

_NETWORK = "fan"


def choose(config: Config, run: Path, path: Path | None) -> dict[str, np.ndarray] | None:
    """Decides with which face alignment network a run is trained, before anything is written.

    Args:
        config: of the run, resolved.
        run: the run directory; it may be missing.
        path: what the user gave, see `load`.

    Returns:
        Tensors to be saved into the run directory, or None if the model has no use for them or they are there already.

    Raises:
        UserError: a network is needed and not given, given and not needed, or another one than the run has.
    """
    model, held = config.model, run / FACE_NETWORK_FILE
    if not model.needs_face_network:
        if path is not None:
            reason = "--model.face_masks is false" if model.w_hpf > 0 else "the model has no high-pass skip"
            raise UserError(f"--face_network {str(path)!r} is of no use, since {reason}; leave it out")
        return None
    if path is None and not held.is_file():
        raise UserError(
            f"the high-pass skip (model.w_hpf {model.w_hpf}) needs a face alignment network to find where a source "
            "shows through: give one with --face_network FILE, or train without masks by --model.face_masks false "
            "(then nothing is carried over, and the decoder has no shortcuts either; --model.w_hpf 0 has them)"
        )
    if path is None or (held.is_file() and not path.exists()):  # a run goes on with the one it has
        return None
    tensors = read(path)
    _build(tensors, path, "float32")
    if not held.is_file():
        return tensors
    there = read(held)
    if any(not np.array_equal(there[name], tensor) for name, tensor in tensors.items()):
        raise UserError(f"--face_network {str(path)!r} is another network than the one the run has; leave it out")
    return None


def load(path: Path, precision: str = "float32") -> FaceAlignmentNetwork:
    """Loads a face alignment network.

    Args:
        path: a run directory that has one, the file in it, or a published PyTorch file (which needs PyTorch).
        precision: Keras dtype policy.

    Returns:
        The network, built.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    return _build(read(path), path, precision)


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a face alignment network by published name; arguments and errors as `load`."""
    file = path / FACE_NETWORK_FILE if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"there is no face alignment network at {str(file)!r}")
    if file.suffix != ".npz":
        from stargan_tf.interop import published, torch_files

        return published.face_network(torch_files.read(file))
    try:
        with np.load(file) as arrays:  # refuses pickled objects
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"the face alignment network {str(file)!r} cannot be read: {error}") from error


def save(tensors: Mapping[str, np.ndarray], run: Path) -> None:
    """Writes a face alignment network into a run directory.

    Args:
        tensors: by published name, in the published layout.
        run: the run directory.

    Raises:
        UserError: tensors are missing, unknown or of another shape; nothing is written.
    """
    _build(tensors, run, "float32")
    arrays = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
    writing.write_arrays(run / FACE_NETWORK_FILE, arrays)


def load_for(config: Config, run: Path) -> FaceAlignmentNetwork | None:
    """Loads what a run's model needs.

    Args:
        config: the run's.
        run: the run directory.

    Returns:
        The network in the run's precision, or None if the model has no use for one.

    Raises:
        UserError: it needs one, and the run directory has none.
    """
    if not config.model.needs_face_network:
        return None
    if not (run / FACE_NETWORK_FILE).is_file():
        raise UserError(
            f"the run {str(run)!r} has a high-pass skip but no {FACE_NETWORK_FILE}, so it cannot find the masks of "
            "faces; copy that file from the directory it was trained or converted in"
        )
    return load(run, config.training.precision)


def _build(tensors: Mapping[str, np.ndarray], path: Path, precision: str) -> FaceAlignmentNetwork:
    network = FaceAlignmentNetwork(dtype=precision)
    try:
        pytorch.assign({_NETWORK: network}, {_NETWORK: tensors})
    except UserError as error:
        raise UserError(f"{str(path)!r} holds no face alignment network: {error}") from error
    return network
