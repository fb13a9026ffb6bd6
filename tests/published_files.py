"""Small checkpoints as the published training writes them, made with torch itself, which is imported only for that."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from stargan_tf import convert, networks
from stargan_tf.config import ModelConfig
from stargan_tf.networks import published_names
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import Checkpoints
from stargan_tf.runs.state import TrainingState, create_state

SMALL = ModelConfig(
    image_size=16, num_domains=3, latent_dim=4, style_dim=6, hidden_dim=10, base_channels=4, max_channels=12
)
FACES = replace(SMALL, image_size=32, num_domains=2, w_hpf=1.0)
DOMAINS = ("--domains", "circle,square,triangle")
ADAM = {"lr": 1e-4, "betas": (0.0, 0.99), "eps": 1e-8, "weight_decay": 1e-4}

State = dict[str, dict[str, np.ndarray]]


def random_state(model: ModelConfig, seed: int) -> State:
    """Returns weights of G, F, E and D in the published layout."""
    random = np.random.default_rng(seed)
    return {
        network: {name: random.standard_normal(place.shape).astype(np.float32) for name, place in places.items()}
        for network, places in published_names.parameters(networks.build(model)).items()
    }


def averaged(state: State) -> State:
    """Returns the networks that averages are kept of."""
    return {network: tensors for network, tensors in state.items() if network != "discriminator"}


def without(state: State, network: str, name: str) -> State:
    """Returns the state with one tensor less."""
    return state | {network: {key: tensor for key, tensor in state[network].items() if key != name}}


def save(state: State, path: Path, prefix: str = "", zipped: bool = False) -> Path:
    """Writes weights, by default in the older format, as the published files are."""
    import torch

    tree = {
        network: {prefix + name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
        for network, tensors in state.items()
    }
    torch.save(tree, path, _use_new_zipfile_serialization=zipped)
    return path


def torch_adam(tensors: dict[str, np.ndarray], steps: int, seed: int, unused: tuple[str, ...] = ()):
    """Makes torch parameters in the order of the state dictionary, and updates them.

    Args:
        tensors: their values.
        steps: how often.
        seed: of their gradients.
        unused: parameters that never have one.

    Returns:
        The parameters by name, and the optimizer.
    """
    import torch

    random = np.random.default_rng(seed)
    parameters = {name: torch.nn.Parameter(torch.from_numpy(np.array(tensor))) for name, tensor in tensors.items()}
    optimizer = torch.optim.Adam(parameters.values(), **ADAM)
    for _ in range(steps):
        for name, parameter in parameters.items():
            gradient = random.standard_normal(parameter.shape) * 10.0 ** random.integers(-4, 2)
            parameter.grad = None if name in unused else torch.from_numpy(gradient.astype(np.float32))
        optimizer.step()
    return parameters, optimizer


def trained_with_torch(state: State, steps: int) -> tuple[State, dict]:
    """Updates G and D twice in each of some iterations, F and E once.

    Args:
        state: weights before.
        steps: iterations.

    Returns:
        Weights after, and states of the optimizers, as `*_nets.ckpt` and `*_optims.ckpt` hold them. One branch of F
        never had a gradient.
    """
    unused = tuple(name for name in state["mapping_network"] if name.startswith("unshared.1."))
    nets, optims = {}, {}
    for seed, (network, tensors) in enumerate(state.items()):
        updates = steps if network in ("mapping_network", "style_encoder") else 2 * steps
        parameters, optimizer = torch_adam(tensors, updates, seed, unused)
        nets[network] = {name: parameter.detach().numpy() for name, parameter in parameters.items()}
        optims[network] = copy.deepcopy(optimizer.state_dict())
        for group in optims[network]["param_groups"]:
            group["lr"] = 1e-6 if network == "mapping_network" else 1e-4
    return nets, optims


def call(*arguments) -> int:
    """Runs the command; returns its exit code."""
    return convert.main([str(argument) for argument in arguments])


def restored(run: Path) -> tuple[TrainingState, int]:
    """Restores a run into a state that had other weights; returns it and the step."""
    config = run_directory.load_config(run)
    state = create_state(replace(config, training=replace(config.training, seed=99)))
    return state, Checkpoints(state, config, run).restore_latest()


def assert_same(one: State, other: State) -> None:
    """Checks that names, their order, shapes, types and values are the same."""
    assert list(one) == list(other)
    for network in one:
        assert list(one[network]) == list(other[network])
        for name, tensor in one[network].items():
            np.testing.assert_array_equal(tensor, other[network][name], err_msg=f"{network}/{name}", strict=True)
