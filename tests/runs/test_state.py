from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, OptimizerConfig, RunConfig
from stargan_tf.runs.state import create_state, update_ema


@pytest.fixture(scope="module")
def config(tiny_model):
    return Config(domains=("a", "b", "c"), model=tiny_model, training=RunConfig(seed=3))


def weights(networks) -> list[np.ndarray]:
    return [weight for _, network in networks.items() for weight in network.get_weights()]


def kernels(networks) -> list[np.ndarray]:
    return [v.numpy() for _, network in networks.items() for v in network.variables if v.path.endswith("kernel")]


def test_averages_start_equal_and_apart(config):
    state = create_state(config)
    trained = dict(state.networks.items())
    assert [name for name, _ in state.ema.items()] == ["generator", "mapping_network", "style_encoder"]
    before = weights(state.ema)
    for name, network in state.ema.items():
        for average, weight in zip(network.get_weights(), trained[name].get_weights(), strict=True):
            np.testing.assert_array_equal(average, weight)
        for variable in trained[name].trainable_variables:
            variable.assign(variable + 1.0)
    for average, value in zip(weights(state.ema), before, strict=True):
        np.testing.assert_array_equal(average, value)
    assert int(state.step) == 0 and state.step.dtype == tf.int64


@pytest.mark.slow
@pytest.mark.parametrize("graph", [False, True])
def test_the_average_moves_towards_the_weights(graph, config):
    state = create_state(config)
    random = np.random.default_rng(0)
    for _, network in state.networks.items():
        network.set_weights([random.standard_normal(weight.shape) for weight in network.get_weights()])
    before, trained = weights(state.ema), dict(state.networks.items())
    target = [weight for name, _ in state.ema.items() for weight in trained[name].get_weights()]
    update = tf.function(lambda: update_ema(state, 0.75)) if graph else lambda: update_ema(state, 0.75)
    update()
    update()
    for average, start, weight in zip(weights(state.ema), before, target, strict=True):
        once = 0.75 * start + 0.25 * weight
        np.testing.assert_allclose(average, 0.75 * once + 0.25 * weight, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(trained["generator"].get_weights()[0], target[0])  # the weights stay


@pytest.mark.slow
def test_the_seed_decides_the_weights(config):
    state = create_state(config)
    first, second = weights(state.networks), weights(create_state(config).networks)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    other_seed = create_state(replace(config, training=RunConfig(seed=4))).networks
    for one, other in zip(kernels(state.networks), kernels(other_seed), strict=True):
        assert not np.array_equal(one, other)


def test_no_two_layers_start_alike(config):
    """One seeded initializer shared by all layers would give layers of one shape the same weights."""
    seen = {}
    for kernel in kernels(create_state(config).networks):
        assert kernel.tobytes() not in seen
        seen[kernel.tobytes()] = True
    assert len(seen) > 30


def test_every_network_has_an_optimizer_with_its_rate(config):
    settings = OptimizerConfig(
        learning_rate=0.5, mapping_learning_rate=0.25, beta_1=0.125, beta_2=0.75, epsilon=0.5, l2=0.0625
    )
    state = create_state(replace(config, optimizers=settings))
    rates = {name: float(optimizer.learning_rate) for name, optimizer in state.optimizers.items()}
    assert rates == {"generator": 0.5, "mapping_network": 0.25, "style_encoder": 0.5, "discriminator": 0.5}
    for name, network in state.networks.items():
        optimizer = state.optimizers[name]
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.l2) == (0.125, 0.75, 0.5, 0.0625)
        assert len(optimizer.second_moments) == len(network.trainable_variables)
