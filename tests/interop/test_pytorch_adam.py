from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf.base.errors import UserError
from stargan_tf.config import OptimizerConfig
from stargan_tf.interop import pytorch_adam
from stargan_tf.interop.pytorch_adam import AdamState

NETWORKS = {
    "generator": {"b.weight": np.ones((2, 3), np.float32), "a.weight": np.ones(3, np.float32)},
    "mapping_network": {"w": np.ones(4, np.float32)},
}
ADAM = {"lr": 1e-4, "betas": (0.0, 0.99), "eps": 1e-8, "weight_decay": 1e-4}


def trained(tensors, steps, skip=(), **settings):
    """A torch optimizer after some updates; parameters named in `skip` never had a gradient."""
    random = np.random.default_rng(0)
    parameters = {name: torch.nn.Parameter(torch.from_numpy(tensor.copy())) for name, tensor in tensors.items()}
    optimizer = torch.optim.Adam(parameters.values(), **ADAM | settings)
    for _ in range(steps):
        for name, parameter in parameters.items():
            if name not in skip:
                parameter.grad = torch.from_numpy(random.standard_normal(parameter.shape).astype(np.float32))
        optimizer.step()
    return optimizer, parameters


def arrays(value):
    """Torch's tree as `torch_files.read` gives it."""
    if isinstance(value, dict):
        return {key: arrays(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([arrays(entry) for entry in value])
    return value.numpy() if isinstance(value, torch.Tensor) else value


@pytest.fixture
def tree():
    return {
        "generator": arrays(trained(NETWORKS["generator"], 4)[0].state_dict()),
        "mapping_network": arrays(trained(NETWORKS["mapping_network"], 2, lr=1e-6)[0].state_dict()),
    }


def addressed(state):
    """The state as PyTorch before 1.6 wrote it: by addresses in memory, steps as plain numbers."""
    addresses = [140_000_000_000_000 - 64 * index for index in state["param_groups"][0]["params"]]
    entries = {addresses[index]: entry | {"step": int(entry["step"])} for index, entry in state["state"].items()}
    return {"state": entries, "param_groups": [state["param_groups"][0] | {"params": addresses, "betas": (0, 0.99)}]}


@pytest.mark.parametrize("old", [False, True])
def test_moments_by_name(old, tree):
    given = {network: addressed(state) for network, state in tree.items()} if old else tree
    states = pytorch_adam.read(given, NETWORKS)
    assert {network: state.step for network, state in states.items()} == {"generator": 4, "mapping_network": 2}
    for network, weights in NETWORKS.items():
        assert list(states[network].moments) == list(weights)
        for index, name in enumerate(weights):
            for moment, key in zip(states[network].moments[name], ("exp_avg", "exp_avg_sq"), strict=True):
                np.testing.assert_array_equal(moment, tree[network]["state"][index][key])
    assert replace(states["generator"], moments={}) == AdamState(4, {}, 1e-4, 0.0, 0.99, 1e-8, 1e-4)


def test_a_parameter_that_never_had_a_gradient_has_no_moments(tree):
    tree["generator"] = arrays(trained(NETWORKS["generator"], 3, skip=["b.weight"])[0].state_dict())
    state = pytorch_adam.read(tree, NETWORKS)["generator"]
    assert list(state.moments) == ["a.weight"] and state.step == 3
    np.testing.assert_array_equal(state.moments["a.weight"][1], tree["generator"]["state"][1]["exp_avg_sq"])


def test_rates_and_decays_are_taken_over(tree):
    settings = pytorch_adam.settings(pytorch_adam.read(tree, NETWORKS), OptimizerConfig(ema_decay=0.9))
    assert settings == OptimizerConfig(1e-4, 1e-6, 0.0, 0.99, 1e-8, 1e-4, ema_decay=0.9)
    networks = NETWORKS | {"style_encoder": NETWORKS["generator"]}
    tree["style_encoder"] = arrays(trained(NETWORKS["generator"], 1, lr=3e-4)[0].state_dict())
    with pytest.raises(UserError, match=r"differ in lr \(0.0001 for generator, 0.0003 for style_encoder\)"):
        pytorch_adam.settings(pytorch_adam.read(tree, networks), OptimizerConfig())
    tree["mapping_network"]["param_groups"][0]["betas"] = (0.0, 0.9)
    tree["style_encoder"]["param_groups"][0]["lr"] = 1e-4
    with pytest.raises(UserError, match=r"differ in betas \(0.99 for generator, 0.9 for mapping_network"):
        pytorch_adam.settings(pytorch_adam.read(tree, networks), OptimizerConfig())


def test_torch_goes_on_from_what_is_written(tree):
    """The same next gradient gives the same weights as in the optimizer that the state was taken from."""
    gradients = {"b.weight": torch.full((2, 3), 0.3), "a.weight": torch.tensor([-1.0, 0.0, 2.0])}
    optimizer, parameters = trained(NETWORKS["generator"], 4)
    written = pytorch_adam.write(
        pytorch_adam.read(tree, NETWORKS), {network: list(weights) for network, weights in NETWORKS.items()}
    )
    copies = {name: torch.nn.Parameter(parameter.detach().clone()) for name, parameter in parameters.items()}
    resumed = torch.optim.Adam(copies.values())
    state = written["generator"]["state"].items()
    tensors = {
        index: {key: torch.from_numpy(value.copy()) if key != "step" else value for key, value in entry.items()}
        for index, entry in state
    }
    resumed.load_state_dict(written["generator"] | {"state": tensors})
    for adam, weights in ((optimizer, parameters), (resumed, copies)):
        for name, weight in weights.items():
            weight.grad = gradients[name].clone()
        adam.step()
    for name in parameters:
        assert torch.equal(copies[name], parameters[name])


def test_a_round_trip_is_exact(tree):
    names = {network: list(weights) for network, weights in NETWORKS.items()}
    states = pytorch_adam.read(tree, NETWORKS)
    again = pytorch_adam.read(pytorch_adam.write(states, names), NETWORKS)
    for network, state in states.items():
        assert replace(again[network], moments={}) == replace(state, moments={})
        assert list(again[network].moments) == list(state.moments)
        for name, moments in state.moments.items():
            for one, other in zip(again[network].moments[name], moments, strict=True):
                np.testing.assert_array_equal(one, other)


def test_other_optimizers_are_refused(tree):
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.ones(4))], lr=0.1)
    amsgrad = trained(NETWORKS["mapping_network"], 1, amsgrad=True)[0]
    larger = trained(NETWORKS["generator"], 1)[0]
    groups = torch.optim.Adam([{"params": [torch.nn.Parameter(torch.ones(2))]} for _ in range(2)])
    entry = tree["mapping_network"]["state"][0]
    endless = tree["mapping_network"] | {"state": {0: entry | {"step": float("inf")}}}
    negative = tree["mapping_network"] | {"state": {0: entry | {"step": -1}}}
    for optimizer, sentence in (
        (arrays(sgd.state_dict()), "the optimizer of mapping_network is not torch.optim.Adam, or is damaged"),
        (arrays(groups.state_dict()), "is not torch.optim.Adam, or is damaged"),
        (endless, "is not torch.optim.Adam, or is damaged"),
        (negative, "is not torch.optim.Adam, or is damaged"),
        (NETWORKS["mapping_network"], "is not torch.optim.Adam, or is damaged"),
        (5, "is not torch.optim.Adam, or is damaged"),
        (arrays(amsgrad.state_dict()), "the optimizer of mapping_network is Adam with AMSGrad"),
        (arrays(larger.state_dict()), "has 2 parameters, but the network has 1"),
    ):
        with pytest.raises(UserError, match=sentence):
            pytorch_adam.read(tree | {"mapping_network": optimizer}, NETWORKS)
    for other in (5, {}, {"generator": tree["generator"]}, tree | {"fan": tree["generator"]}):
        with pytest.raises(UserError, match="should hold generator, mapping_network, and has"):
            pytorch_adam.read(other, NETWORKS)


def test_moments_of_another_shape_are_listed(tree):
    tree["generator"]["state"][0]["exp_avg"] = np.zeros((3, 2))
    tree["mapping_network"]["state"][0]["exp_avg_sq"] = np.zeros(5)
    with pytest.raises(UserError) as raised:
        pytorch_adam.read(tree, NETWORKS)
    listed = r"generator/b.weight (3, 2) instead of (2, 3), mapping_network/w (5,) instead of (4,)"
    assert str(raised.value) == f"moments have other shapes than their parameters: {listed}"
