"""Adam's state in PyTorch's files and in ours, so that training begun with one can go on with the other.

A `*_optims.ckpt` holds, for each network, what `torch.optim.Adam.state_dict()` returns. There, parameters have numbers
or, before PyTorch 1.6, addresses in memory; a list gives these in the order of the network's state dictionary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stargan_tf.base.errors import UserError
from stargan_tf.config import OptimizerConfig
from stargan_tf.interop.architecture import State

_MOMENTS = ("exp_avg", "exp_avg_sq")
_MAX_STEP = 2**31


@dataclass(frozen=True)
class AdamState:
    """The optimizer of one network.

    Args:
        step: updates made.
        moments: first and second moment by published name of the parameter, in the published layout; parameters that
            never had a gradient are left out.
        learning_rate: step size.
        beta_1: decay of the first moment.
        beta_2: decay of the second moment.
        epsilon: added to the bias-corrected root of the second moment.
        l2: weight of the L2 term.
    """

    step: int
    moments: Mapping[str, tuple[np.ndarray, np.ndarray]]
    learning_rate: float
    beta_1: float
    beta_2: float
    epsilon: float
    l2: float


def read(optimizers: Any, networks: State) -> dict[str, AdamState]:
    """Reads the optimizers' states.

    Args:
        optimizers: what a `*_optims.ckpt` holds, see `torch_files.read`.
        networks: what the `*_nets.ckpt` of the same step holds, see `published.networks`: the order of its names is
            the order of the moments.

    Returns:
        The state of each network's optimizer.

    Raises:
        UserError: it holds something else, or moments of other networks.
    """
    names = list(optimizers) if isinstance(optimizers, Mapping) else []
    if set(names) != set(networks):
        raise UserError(
            f"the file holds no optimizers of these networks: it should hold {', '.join(networks)}, "
            f"and has {', '.join(map(str, names[:8])) or 'none'}"
        )
    states = {}
    for network, weights in networks.items():
        try:
            states[network] = _read(optimizers[network], weights)
        except _OtherOptimizerError as error:
            raise UserError(f"the optimizer of {network} {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(f"the optimizer of {network} is not torch.optim.Adam, or is damaged") from error
    misshapen = [
        f"{network}/{name} {np.shape(moment)} instead of {np.shape(networks[network][name])}"
        for network, state in states.items()
        for name, moments in state.moments.items()
        for moment in moments
        if np.shape(moment) != np.shape(networks[network][name])
    ]
    if misshapen:
        raise UserError(f"moments have other shapes than their parameters: {', '.join(dict.fromkeys(misshapen))}")
    return states


class _OtherOptimizerError(Exception):
    """Why an optimizer cannot be taken over; continues a sentence that begins with its name."""


def _read(optimizer: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> AdamState:
    (group,) = optimizer["param_groups"]
    order, entries = group["params"], optimizer["state"]
    if len(order) != len(weights) or not set(entries) <= set(order):
        raise _OtherOptimizerError(f"has {len(order)} parameters, but the network has {len(weights)}")
    if group.get("amsgrad"):
        raise _OtherOptimizerError("is Adam with AMSGrad, which cannot be gone on with here")
    moments = {
        name: tuple(entries[key][moment] for moment in _MOMENTS)
        for key, name in zip(order, weights, strict=True)
        if key in entries
    }
    # Parameters share one count here. In PyTorch, those that had their first gradient later have a lower one; after a
    # few hundred updates the difference has no effect.
    step = int(max((np.asarray(entry["step"]).item() for entry in entries.values()), default=0))
    if not 0 <= step < _MAX_STEP:
        raise ValueError(step)
    beta_1, beta_2 = group["betas"]
    values = (group["lr"], beta_1, beta_2, group["eps"], group["weight_decay"])
    return AdamState(step, moments, *(float(value) for value in values))


def settings(states: Mapping[str, AdamState], config: OptimizerConfig) -> OptimizerConfig:
    """Returns the configuration with the optimizers' rates and decays.

    Args:
        states: of all networks.
        config: supplies what the states do not hold, the decay of the moving average.

    Returns:
        The configuration to go on with.

    Raises:
        UserError: the networks have different values for a setting that all share here.
    """
    values = {}
    for ours, theirs, left_out in (
        ("learning_rate", "lr", "mapping_network"),
        ("beta_1", "betas", None),
        ("beta_2", "betas", None),
        ("epsilon", "eps", None),
        ("l2", "weight_decay", None),
    ):
        found = {network: getattr(state, ours) for network, state in states.items() if network != left_out}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{value} for {network}" for network, value in found.items())
            raise UserError(f"the optimizers differ in {theirs} ({listed}), which must be the same here")
        values[ours] = next(iter(found.values()))
    return replace(config, **values, mapping_learning_rate=states["mapping_network"].learning_rate)


def write(states: Mapping[str, AdamState], names: Mapping[str, list[str]]) -> dict[str, Any]:
    """Returns what a `*_optims.ckpt` holds.

    Args:
        states: of each network.
        names: names of each network's parameters, in the order of its state dictionary.

    Returns:
        Nested dictionaries and lists for `torch_files.write`; `torch.optim.Adam.load_state_dict` takes each entry.
    """
    return {
        network: {
            "state": {
                index: {"step": state.step} | dict(zip(_MOMENTS, state.moments[name], strict=True))
                for index, name in enumerate(names[network])
                if name in state.moments
            },
            "param_groups": [
                {
                    "lr": state.learning_rate,
                    "betas": (state.beta_1, state.beta_2),
                    "eps": state.epsilon,
                    "weight_decay": state.l2,
                    "amsgrad": False,
                    "params": list(range(len(names[network]))),
                }
            ],
        }
        for network, state in states.items()
    }
