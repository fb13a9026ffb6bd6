"""The face network on disk: a file of published names that needs no PyTorch, in each run that uses one."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_arrays
from stargan_tf.config import Config
from stargan_tf.networks import published_names
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs.run_directory import FACE_NETWORK_FILE, check_face_network

_PUBLISHED_NAME = "fan"


def read(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a face network.

    Args:
        path: a run directory that has one, or the file in it.

    Returns:
        The tensors by published name, in the published layout.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    file = path / FACE_NETWORK_FILE if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"there is no face network at {str(file)!r}")
    try:
        with np.load(file) as arrays:  # refuses pickled objects
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"the face network {str(file)!r} cannot be read: {error}") from error


def build(tensors: Mapping[str, np.ndarray], path: Path, precision: str = "float32") -> FaceNetwork:
    """Builds a face network.

    Args:
        tensors: by published name, in the published layout.
        path: where they come from, for errors.
        precision: Keras dtype policy.

    Returns:
        The network with these weights.

    Raises:
        UserError: tensors are missing, unknown or of another shape.
    """
    network = FaceNetwork(dtype=precision)
    try:
        published_names.assign({_PUBLISHED_NAME: network}, {_PUBLISHED_NAME: tensors})
    except UserError as error:
        raise UserError(f"{str(path)!r} holds no face network: {error}") from error
    return network


def save(tensors: Mapping[str, np.ndarray], run: Path) -> None:
    """Writes a face network into a run directory.

    Args:
        tensors: by published name, in the published layout.
        run: the run directory.

    Raises:
        UserError: tensors are missing, unknown or of another shape; nothing is written.
    """
    build(tensors, run)
    arrays = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
    write_arrays(run / FACE_NETWORK_FILE, arrays)


def choose(
    config: Config, run: Path, path: Path | None, reader: Callable[[Path], dict[str, np.ndarray]] = read
) -> dict[str, np.ndarray] | None:
    """Decides which face network a run is trained with, before anything is written.

    Args:
        config: of the run, resolved.
        run: the run directory; it may be missing.
        path: the file or directory that the user gave.
        reader: reads the tensors of `path`; the default knows the files of runs only.

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
            f"the high-pass skip (model.w_hpf {model.w_hpf}) needs a face network to find where a source "
            "shows through: give one with --face_network FILE, or train without masks by --model.face_masks false "
            "(then nothing is carried over, and the decoder has no shortcuts either; --model.w_hpf 0 has them)"
        )
    if path is None or (held.is_file() and not path.exists()):  # a run goes on with the one it has
        return None
    tensors = reader(path)
    build(tensors, path)
    if not held.is_file():
        return tensors
    there = read(held)
    if any(not np.array_equal(there[name], tensor) for name, tensor in tensors.items()):
        raise UserError(f"--face_network {str(path)!r} is another network than the one the run has; leave it out")
    return None


def load(path: Path, precision: str = "float32") -> FaceNetwork:
    """Loads a face network; `path` as `read` takes it, `precision` and errors as of `build`."""
    return build(read(path), path, precision)


def load_for(config: Config, run: Path) -> FaceNetwork | None:
    """Loads the face network that a run's model needs.

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
    check_face_network(run, config)
    return load(run, config.training.precision)
