"""Two devices compute what one does on the same global batch."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, DataConfig, OptimizerConfig, RunConfig
from stargan_tf.errors import UserError
from stargan_tf.training.distribution import create_strategy
from stargan_tf.training.iteration import compile_iteration
from stargan_tf.training.state import create_state

RATE = 1e-3


def train(strategy, config, steps):
    """Trains on a fixed sequence of batches; returns the state, its weights before, and the metrics of every step."""
    random = np.random.default_rng(0)
    count = steps * config.input.batch_size

    def images():
        return random.uniform(-1, 1, (count, *config.model.size, 3))

    data = {
        "source": images(),
        "source_domain": np.arange(count, dtype=np.int32) % 3,
        "reference": images(),
        "reference_2": images(),
        "target_domain": (np.arange(count, dtype=np.int32) // 2 + 1) % 3,
    }
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(config.input.batch_size, drop_remainder=True)
    with strategy.scope():
        state = create_state(config)
    before = weights(state)
    iterate = compile_iteration(strategy, state, config)
    metrics = [
        {name: float(value) for name, value in iterate(batch).items()}
        for batch in strategy.experimental_distribute_dataset(dataset)
    ]
    return state, before, metrics


def weights(state) -> dict[str, np.ndarray]:
    return {
        f"{kind}/{name}/{index}/{variable.path}": variable.numpy()  # paths alone are not unique
        for kind in ("networks", "ema")
        for name, network in getattr(state, kind).items()
        for index, variable in enumerate(network.variables)
    }


@pytest.fixture(scope="module")
def trained(tiny_model):
    """Both trainings, in float64: rounding in float32 turns the sign of small gradients, which Adam makes large."""
    config = Config(
        domains=("a", "b", "c"),
        model=tiny_model,
        optimizers=OptimizerConfig(learning_rate=RATE, mapping_learning_rate=RATE, ema_decay=0.9),
        input=DataConfig(batch_size=4),
        training=RunConfig(precision="float64"),
    )
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        yield tuple(train(s, config, 2) for s in (tf.distribute.OneDeviceStrategy("/cpu:0"), create_strategy()))
    finally:
        keras.config.set_floatx(floatx)


def test_all_logical_devices_are_used():
    strategy = create_strategy()
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU")) == 2


def test_some_or_too_many_devices():
    assert create_strategy(1).num_replicas_in_sync == 1
    assert create_strategy(2) is create_strategy()
    with pytest.raises(UserError, match=r"--training.devices is 3; this machine has 2 of kind CPU"):
        create_strategy(3)


def test_the_weights_become_the_same(trained):
    (one, before, _), (two, before_two, _) = trained
    one, two = weights(one), weights(two)
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(before[name], before_two[name], err_msg=name)
        if name.endswith("kernel"):  # nearly every weight moves by about the rate
            slow = 0.1 if name.startswith("ema") else 1.0
            assert np.abs(value - before[name]).mean() > 0.1 * slow * RATE, name
        np.testing.assert_allclose(two[name], value, rtol=0, atol=1e-4 * RATE, err_msg=name)


def test_the_metrics_are_those_of_the_global_batch(trained):
    (_, _, one), (_, _, two) = trained
    assert len(one) == len(two) == 2
    for step_one, step_two in zip(one, two, strict=True):
        assert step_one.keys() == step_two.keys()
        for name, value in step_one.items():
            if "grad_norm" not in name:  # the mean over devices of each one's norm
                assert step_two[name] == pytest.approx(value, rel=1e-6), name
    assert one[0] != one[1]


def test_every_device_holds_the_same_copy(trained):
    _, (state, _, _) = trained
    variables = [
        variable.value
        for networks in (state.networks, state.ema)
        for _, network in networks.items()
        for variable in network.variables
    ]
    variables += [variable.value for optimizer in state.optimizers.values() for variable in optimizer.second_moments]
    for variable in variables:
        first, second = variable.values  # one a device
        assert first.device != second.device
        np.testing.assert_array_equal(first, second)


def test_steps_are_counted(trained):
    for state, _, _ in trained:
        assert state.step.numpy() == 2
        assert state.optimizers["generator"].iterations.numpy() == 4
        assert state.optimizers["mapping_network"].iterations.numpy() == 2


def test_every_device_holds_the_same_singular_vectors(tiny_model):
    strategy = create_strategy()
    with strategy.scope():
        state = create_state(Config(domains=("a", "b", "c"), model=replace(tiny_model, spectral_norm=True)))
    discriminator = state.networks.discriminator
    vectors = discriminator.non_trainable_variables
    before = [vector.numpy() for vector in vectors]
    tf.function(lambda: strategy.run(discriminator.advance_spectral_norm))()
    for vector, value in zip(vectors, before, strict=True):
        first, second = vector.value.values
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(np.linalg.norm(first), 1, rtol=1e-5)
        assert np.abs(first - value).max() > 1e-3
