"""Runs made from published weights, and published weights taken out of runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_directory
from stargan_tf.config import Config
from stargan_tf.interop.architecture import State
from stargan_tf.interop.pytorch_adam import AdamState
from stargan_tf.networks import Networks, published_names
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.networks.published_names import Parameter
from stargan_tf.runs import face_network, run_directory
from stargan_tf.runs.checkpoint_files import latest
from stargan_tf.runs.checkpoints import Checkpoints, holds_trained_networks, load_ema, save_ema
from stargan_tf.runs.state import TrainingState, build_ema, create_state


@dataclass(frozen=True)
class Weights:
    """The part of a run that PyTorch's files can hold, under published names.

    Args:
        step: finished iterations.
        averaged: G, F and E.
        trained: G, F, E and D, or None.
        adam: state of their optimizers, or None.
        face_network: tensors of the face network, or None.
    """

    step: int
    averaged: State
    trained: State | None = None
    adam: Mapping[str, AdamState] | None = None
    face_network: Mapping[str, np.ndarray] | None = None


def write_run(weights: Weights, config: Config, run: Path, files: Mapping[str, str]) -> None:
    """Writes a run directory, complete or not at all.

    Args:
        weights: with `trained`, training can go on from the run; without, it serves for inference only.
        config: the run's.
        run: the directory, which must not exist or be empty.
        files: from which `averaged`, `trained` and `face_network` were read, for errors.

    Raises:
        UserError: tensors are missing, unknown or of another shape; they are listed.
    """
    if weights.face_network is not None:
        _load({"fan": FaceNetwork()}, {"fan": weights.face_network}, files["face_network"])
    if weights.trained is None:
        averages = build_ema(config.model, config.training.precision)
        _load(averages, weights.averaged, files["averaged"])
    else:
        state = create_state(config)
        _load(state.networks, weights.trained, files["trained"])
        _load(state.ema, weights.averaged, files["averaged"])
        if weights.adam is not None:
            _assign_adam(state, weights.adam)
        state.step.assign(weights.step)

    with whole_directory(run) as new:
        configuration.save(config, new / run_directory.CONFIG_FILE)
        if weights.face_network is not None:
            face_network.save(weights.face_network, new)
        if weights.trained is None:
            save_ema(averages, weights.step, config, new)
        else:
            Checkpoints(state, config, new).save()


def read_run(run: Path, with_training: bool) -> tuple[Config, Weights]:
    """Reads the weights of a run's newest checkpoint.

    Args:
        run: the run directory.
        with_training: whether trained networks and optimizers are wanted too.

    Returns:
        The run's configuration and its weights.

    Raises:
        UserError: it is not a run, has no checkpoint, or has no trained networks of the published structure.
    """
    config = run_directory.load_config(run)
    path = latest(run)
    tensors = face_network.read(run) if config.model.needs_face_network else None
    if not with_training:
        averages, step = load_ema(config, run)
        return config, Weights(step, published_names.extract(averages), face_network=tensors)
    if config.model.spectral_norm:
        raise UserError(
            f"the discriminator of {str(run)!r} has spectral normalization, which the published one has not; its "
            "averaged networks alone can be written (--to_pytorch)"
        )
    if not holds_trained_networks(path):
        raise UserError(
            f"{str(run)!r} holds averaged networks only, no discriminator and no optimizers; they alone can be "
            "written (--to_pytorch)"
        )
    state = create_state(config)
    step = Checkpoints(state, config, run, writes=False).restore_latest()
    trained = published_names.extract(state.networks)
    return config, Weights(step, published_names.extract(state.ema), trained, _extract_adam(state, config), tensors)


def _load(networks: Networks | Mapping[str, keras.Model], state: State, file: str) -> None:
    try:
        published_names.assign(networks, state)
    except UserError as error:
        raise UserError(f"{file!r}: {error}") from error


def _moments(state: TrainingState, network: str) -> dict[str, tuple[Parameter | None, Parameter]]:
    """Returns where the moments of each parameter of a network live, by published name; the first may not be kept."""
    optimizer = state.optimizers[network]
    places = published_names.parameters({network: getattr(state.networks, network)})[network]
    return {
        name: (
            replace(place, variable=optimizer.first_moments[index]) if optimizer.first_moments else None,
            replace(place, variable=optimizer.second_moments[index]),
        )
        for name, place in places.items()
        for index in [optimizer._get_variable_index(place.variable)]
    }


def _assign_adam(state: TrainingState, adam: Mapping[str, AdamState]) -> None:
    for network, held in adam.items():
        values: dict[int, np.ndarray] = {}  # parameters without moments keep zeros
        slots: dict[int, keras.Variable] = {}
        for name, places in _moments(state, network).items():
            for place, moment in zip(places, held.moments.get(name, ()), strict=False):
                if place is None:
                    continue
                slot = slots.setdefault(id(place.variable), place.variable)
                value = values.setdefault(id(slot), np.zeros(slot.shape, slot.dtype))
                # `select` gives a view, so this writes into the variable's layout.
                place.select(value)[...] = moment
        for key, slot in slots.items():
            slot.assign(values[key])
        state.optimizers[network].iterations.assign(held.step)


def _extract_adam(state: TrainingState, config: Config) -> dict[str, AdamState]:
    adam = {}
    for network, optimizer in state.optimizers.items():
        step = int(optimizer.iterations.numpy())
        moments = {
            name: (_value(first, second), _value(second, second))
            for name, (first, second) in _moments(state, network).items()
        }
        settings = config.optimizers
        rate = settings.rate_of(network)
        adam[network] = AdamState(
            step, moments if step else {}, rate, settings.beta_1, settings.beta_2, settings.epsilon, settings.l2
        )
    return adam


def _value(place: Parameter | None, like: Parameter) -> np.ndarray:
    """Returns a moment; zeros for one that is not kept, of which PyTorch makes the next gradient, too."""
    value = like.select(like.variable.numpy())
    return np.zeros_like(value) if place is None else place.select(place.variable.numpy())
