"""A run in one small file, to pass on: averaged networks and the discriminator in float16, and what belongs to them."""

import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_directory, whole_file, write_text
from stargan_tf.networks import published_names
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoint_files import latest
from stargan_tf.runs.checkpoints import Checkpoints, holds_trained_networks
from stargan_tf.runs.state import create_state

# Files of a run that go with its weights.
_FILES = (
    run_directory.CONFIG_FILE,
    run_directory.DATA_FILE,
    run_directory.LICENCE_FILE,
    run_directory.PHOTOGRAPHS_FILE,
    run_directory.KNOWN_FACTORS_FILE,
)
_STEP = "step"


def pack(run: Path, file: Path) -> None:
    """Writes the newest checkpoint of a run into one file, from which `unpack` makes a run again.

    Args:
        run: the run directory.
        file: to write, `.npz`: texts of the run's files, the step, and weights under published names, 2 bytes each.

    Raises:
        UserError: it is not a run with trained networks of the published structure, or has a face network, which is
            larger than the rest; the file exists; or a weight is out of float16's range.
    """
    config = run_directory.load_config(run)
    if config.model.needs_face_network or config.model.spectral_norm:
        what = "spectral normalization" if config.model.spectral_norm else "a face network"
        raise UserError(f"the run {str(run)!r} has {what}, which a packed run cannot hold; pass on its directory")
    if not holds_trained_networks(latest(run)):
        raise UserError(f"the run {str(run)!r} holds averaged networks only; a packed run has the discriminator, too")
    if file.exists():
        raise UserError(f"{str(file)!r} exists; choose a new file")
    state = create_state(config)
    step = Checkpoints(state, config, run, writes=False).restore_latest()
    arrays = {name: np.array((run / name).read_text()) for name in _FILES if (run / name).is_file()}
    arrays[_STEP] = np.array(step)
    weights = {**published_names.extract(state.networks), **published_names.extract(state.ema)}
    for network, tensors in weights.items():
        for name, values in tensors.items():
            with np.errstate(over="ignore"):
                arrays[f"{network}/{name}"] = values.astype(np.float16)
            if not np.isfinite(arrays[f"{network}/{name}"]).all():
                raise UserError(f"{network}/{name} of the run {str(run)!r} has values beyond 65,504, float16's range")
    with whole_file(file) as new, new.open("wb") as opened:
        np.savez_compressed(opened, **arrays)  # type: ignore[arg-type]  # taken for its other argument


def unpack(content: bytes, name: str, run: Path) -> None:
    """Makes a run directory of a packed run.

    It computes in float32, in which every processor is at home. Averaged networks serve as trained ones, too, and
    optimizers start anew.

    Args:
        content: of the file that `pack` wrote.
        name: of the file, for errors.
        run: the directory, complete afterwards or not made at all.

    Raises:
        UserError: the file is something else, or damaged.
    """
    try:
        with np.load(io.BytesIO(content)) as file:  # refuses pickled objects
            arrays = dict(file)
        texts = {held: str(arrays.pop(held)) for held in _FILES if held in arrays}
        step = int(arrays.pop(_STEP))
        weights: dict[str, dict[str, np.ndarray]] = {}
        for key, values in arrays.items():
            network, _, parameter = key.partition("/")
            weights.setdefault(network, {})[parameter] = values.astype(np.float32)
        averaged = {network: weights[network] for network in weights if network != "discriminator"}
        with whole_directory(run) as new:
            for held, text in texts.items():
                write_text(new / held, text)
            config = run_directory.load_config(new)
            config = replace(config, training=replace(config.training, precision="float32"))
            configuration.save(config, new / run_directory.CONFIG_FILE)
            state = create_state(config)
            published_names.assign(state.networks, weights)
            published_names.assign(state.ema, averaged)
            state.step.assign(step)
            Checkpoints(state, config, new).save()
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{name!r} is no packed run, or a damaged one ({error}); `stargan_tf.convert --pack` makes one"
        ) from error
