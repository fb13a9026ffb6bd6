"""How a run begins: its directory, and its weights if they come from another run, whose domains may differ."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, check_same_run
from stargan_tf.networks import Networks
from stargan_tf.networks.layers import DomainDense
from stargan_tf.runs import face_network as face_networks
from stargan_tf.runs import remote_run, run_directory
from stargan_tf.runs.checkpoint_files import find_latest, latest, step_of
from stargan_tf.runs.checkpoints import Checkpoints, check_trainable, holds_trained_networks, load_ema
from stargan_tf.runs.run_directory import FACE_NETWORK_FILE, LICENCE_FILE
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.workers import Workers

# Fields of the model that shape its weights, besides the number of domains.
_SHAPES = ("size", "latent_dim", "style_dim", "hidden_dim", "full_resolution_channels", "max_channels", "spectral_norm")


def check(config: Config, source: Path) -> None:
    """Checks that a run's weights fit a new one.

    Args:
        config: of the new run, resolved.
        source: directory of the run to start from.

    Raises:
        UserError: `source` is not a run, has no checkpoint, or has other networks.
    """
    held = run_directory.load_config(source)
    latest(source)
    differences = [
        f"model.{name} is {getattr(held.model, name)} there and {getattr(config.model, name)} here"
        for name in _SHAPES
        if getattr(held.model, name) != getattr(config.model, name)
    ]
    if (held.model.w_hpf > 0) != (config.model.w_hpf > 0):
        differences.append(f"model.w_hpf is {held.model.w_hpf} there and {config.model.w_hpf} here")
    if differences:
        raise UserError(f"the weights of --init_from {str(source)!r} do not fit: {'; '.join(differences)}")


def open_run(
    config: Config,
    run: Path,
    face_network: Path | None,
    init_from: Path | None,
    read_face_network: Callable[[Path], dict[str, np.ndarray]],
    workers: Workers,
    allow_changes: bool = False,
) -> Path | None:
    """Opens the directory of a new run, or of one that goes on; the chief writes it, the other workers check it.

    Args:
        config: resolved.
        run: the run directory.
        face_network: file of a face network, or a directory that has one; by default that of `init_from`.
        init_from: the run to start from.
        read_face_network: reads the tensors of `face_network`.
        workers: the processes that train.
        allow_changes: whether settings may change when the run goes on, see `check_same_run`.

    Returns:
        `init_from`, or None if the run goes on.

    Raises:
        UserError: configuration, run directory, face network and `init_from` do not go together.
    """
    check_trainable(run)
    newest = find_latest(run)
    if newest is not None:
        init_from = None  # the same command starts a run and goes on with it; what it started from may be gone
    if init_from is not None:
        check(config, init_from)
        if face_network is None and config.model.needs_face_network and (init_from / FACE_NETWORK_FILE).is_file():
            face_network = init_from
    tensors = face_networks.choose(config, run, face_network, read_face_network)
    if workers.is_chief:
        step = 0 if newest is None else step_of(newest)
        changes = run_directory.open_for_training(run, config, allow_changes, step)
        for name, (before, now) in changes.items():
            workers.say(f"{name} is {now} from step {step} on; it was {before}")
        if tensors is not None:
            face_networks.save(tensors, run)
        if init_from is not None and (init_from / LICENCE_FILE).is_file():
            # Licences like CC BY-SA hold for what is made of the weights, too.
            shutil.copy(init_from / LICENCE_FILE, run)
        remote_run.push(run)
    workers.wait()
    if not workers.is_chief:
        remote_run.pull(run)
        check_same_run(run_directory.load_config(run), config, run)
    return init_from


def restore(
    state: TrainingState, config: Config, checkpoints: Checkpoints, run: Path, init_from: Path | None, workers: Workers
) -> int:
    """Restores the newest checkpoint, or takes the weights of the run to start from.

    Args:
        state: changed in place.
        config: resolved.
        checkpoints: of the run.
        run: the run directory.
        init_from: the run to start from, as `open_run` returned it.
        workers: the processes that train.

    Returns:
        The number of finished steps.

    Raises:
        UserError: a checkpoint cannot be read, or the workers found different ones.
    """
    step = checkpoints.restore_latest()
    workers.check_same_step(step)
    if init_from is not None:
        workers.say(initialize(state, config, init_from))
    rolls_back = config.training.on_nonfinite == "rollback"
    if init_from is not None or (rolls_back and checkpoints.saved_step is None):
        checkpoints.save()  # so that a run killed before its first checkpoint begins with these weights again
        if workers.is_chief:
            remote_run.push(run)
    return step


def initialize(state: TrainingState, config: Config, source: Path) -> str:
    """Copies the weights of another run; optimizers and step counter start anew.

    Branches of domains that the other run has, by name, are copied; the others stay as they are. If the other run holds
    averaged networks only, training starts from those, and the discriminator stays as it is.

    Args:
        state: of the new run; changed in place.
        config: of the new run, resolved.
        source: directory of the run to start from; `check` has accepted it.

    Returns:
        A sentence that says what was taken.
    """
    held = run_directory.load_config(source)
    assert config.domains is not None and held.domains is not None  # both are resolved
    averaged, step = load_ema(held, source)
    trained = averaged
    if holds_trained_networks(latest(source)):
        trained = networks.build(held.model)
        checkpoint = tf.train.Checkpoint(networks=dict(trained.items()))
        checkpoint.restore(str(latest(source))).assert_existing_objects_matched().expect_partial()
    _take(state.networks, config.domains, trained, held.domains)
    _take(state.ema, config.domains, averaged, held.domains)

    fresh = [domain for domain in config.domains if domain not in held.domains]
    parts = [f"starting from the weights of {source} after {step} steps"]
    if trained.discriminator is None:
        parts.append("it has no discriminator, so that starts fresh")
    if fresh:
        parts.append(f"new domains, whose branches start fresh: {', '.join(fresh)}")
    return "; ".join(parts)


def _take(target: Networks, domains: Sequence[str], source: Networks, known: Sequence[str]) -> None:
    """Copies all weights; branches of domains are matched by the domains' names."""
    new_and_old = [(domains.index(domain), known.index(domain)) for domain in domains if domain in known]
    for name, network in target.items():
        other = getattr(source, name)
        if other is None:
            continue
        axes = _domain_axes(target, name)
        for variable, held in zip(network.variables, other.variables, strict=True):
            held = held.numpy()
            axis = axes.get(id(variable))
            if axis is not None:
                value = variable.numpy()
                for new, old in new_and_old:
                    np.moveaxis(value, axis, 0)[new] = np.moveaxis(held, axis, 0)[old]
                held = value
            variable.assign(held)


def _domain_axes(nets: Networks, name: str) -> dict[int, int]:
    """Returns which axis of a variable, by its id, counts the domains; other variables have none."""
    layers = getattr(nets, name)._flatten_layers()
    axes = {id(variable): 0 for layer in layers if isinstance(layer, DomainDense) for variable in layer.variables}
    if nets.discriminator is not None and name == "discriminator":
        axes |= {id(variable): -1 for variable in nets.discriminator.logits.variables}
    return axes
