"""A new run that starts from the weights of another one, whose data and domains may differ."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config
from stargan_tf.networks import Networks, published_names
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoint_files import latest
from stargan_tf.runs.checkpoints import holds_trained_networks, load_ema
from stargan_tf.runs.state import TrainingState

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


def initialize(state: TrainingState, config: Config, source: Path) -> str:
    """Takes over the weights of another run; optimizers and step counter start anew.

    Branches of domains that the other run knows, by name, are kept; the others stay as they are. Where the other run
    holds averaged networks only, those are trained on, and the discriminator stays as it is.

    Args:
        state: of the new run; changed in place.
        config: of the new run, resolved.
        source: directory of the run to start from; `check` has accepted it.

    Returns:
        A sentence that says what was taken.
    """
    held = run_directory.load_config(source)
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
    """Copies all weights; those that belong to domains by the names of the domains."""
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
    parameters = published_names.parameters(nets)[name].values()
    axes = {id(parameter.variable): 0 for parameter in parameters if parameter.domain is not None}
    if name == "discriminator":
        axes |= {id(variable): -1 for variable in nets.discriminator.logits.variables}
    return axes
