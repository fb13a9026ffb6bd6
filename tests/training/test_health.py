from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, OptimizerConfig
from stargan_tf.runs.state import create_state
from stargan_tf.training.hooks import health
from stargan_tf.training.hooks.measurements import NonFiniteError


@pytest.fixture(scope="module")
def state(tiny_model):
    optimizers = OptimizerConfig(learning_rate=1e-2, mapping_learning_rate=1e-3, beta_1=0.5)
    return create_state(Config(domains=("a", "b", "c"), model=replace(tiny_model), optimizers=optimizers))


@pytest.mark.slow
@pytest.mark.parametrize("sampled", [50_000, 30])
def test_the_ratio_is_that_of_what_moved(state, sampled, monkeypatch):
    monkeypatch.setattr(health, "_SAMPLED", sampled)
    random, ratios = np.random.default_rng(0), health.UpdateRatios(state)
    assert ratios.ratios() == {}
    expected = {}
    for _ in range(2):
        ratios.start()
        for name, network in state.networks.items():
            before = [variable.numpy() for variable in network.trainable_variables]
            gradients = [tf.constant(random.normal(size=value.shape), tf.float32) for value in before]
            state.optimizers[name].apply(gradients, network.trainable_variables)
            after = [variable.numpy() for variable in network.trainable_variables]
            moved = np.sqrt(sum(np.sum((b - a) ** 2) for a, b in zip(before, after, strict=True)))
            expected[f"update_ratio/{name}"] = moved / np.sqrt(sum(np.sum(value**2) for value in after))
    assert ratios.ratios() == pytest.approx(expected, rel=1e-3 if sampled > 30 else 0.2)
    assert ratios.ratios() == {}


def test_a_weight_that_is_not_finite_is_found(state):
    health.check_finite(state, 3)
    weight = state.ema.style_encoder.trainable_variables[-1]
    value = weight.numpy()
    value.flat[-1] = np.inf
    weight.assign(value)
    with pytest.raises(NonFiniteError, match="style_encoder has a weight that is not finite after step 3"):
        health.check_finite(state, 3)


def test_memory_is_measured():
    assert 0.1 < health.memory()["memory/host_gb"] < 100
