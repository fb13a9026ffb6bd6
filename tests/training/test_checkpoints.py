from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, RunConfig
from stargan_tf.errors import UserError
from stargan_tf.training.checkpoints import DIRECTORY, Checkpoints, load_ema
from stargan_tf.training.distribution import create_strategy
from stargan_tf.training.state import create_state


@pytest.fixture(scope="module")
def config(tiny_model):
    return Config(
        domains=("a", "b", "c"),
        model=replace(tiny_model, spectral_norm=True),
        training=RunConfig(keep_checkpoints=2),
    )


def variables(state) -> dict[str, tf.Variable]:
    """Every variable that training changes."""
    owners = [*state.networks.items(), *((f"ema_{name}", network) for name, network in state.ema.items())]
    owners += [(f"adam_{name}", optimizer) for name, optimizer in state.optimizers.items()]
    # Numbered, because blocks share the paths of their variables.
    return {"step": state.step} | {
        f"{name}/{index}/{variable.path}": variable
        for name, owner in owners
        for index, variable in enumerate(owner.variables)
    }


def values(state) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in variables(state).items()}


def fill(state, seed, step):
    """Gives every variable values of its own."""
    random = np.random.default_rng(seed)
    for variable in variables(state).values():
        low, high = (0, 1000) if "int" in str(variable.dtype) else (-1, 1)
        variable.assign(random.uniform(low, high, variable.shape).astype(tf.as_dtype(variable.dtype).as_numpy_dtype))
    state.step.assign(step)
    return state


@pytest.fixture(scope="module")
def filled(config):
    return fill(create_state(config), seed=0, step=17)


@pytest.fixture
def run(filled, config, tmp_path):
    Checkpoints(filled, config, tmp_path).save()
    return tmp_path


def test_everything_is_restored_to_the_bit(filled, config, run):
    other = fill(create_state(config), seed=1, step=5)
    expected = values(filled)
    assert sum(not np.array_equal(value, expected[name]) for name, value in values(other).items()) == len(expected)
    checkpoints = Checkpoints(other, config, run)
    assert checkpoints.restore_latest() == 17
    restored = values(other)
    assert [name for name, value in expected.items() if not np.array_equal(restored[name], value)] == []
    assert any("second_moment" in name for name in expected) and any("left_singular" in name for name in expected)
    assert checkpoints.saved_step == 17


def test_a_run_may_move_from_one_device_to_several_and_back(filled, config, run):
    strategy = create_strategy()
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        mirrored = create_state(config)
    checkpoints = Checkpoints(mirrored, config, run)
    assert checkpoints.restore_latest() == 17
    expected = values(filled)
    for name, value in values(mirrored).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    mirrored.step.assign(18)
    checkpoints.save()

    single = create_state(config)
    assert Checkpoints(single, config, run).restore_latest() == 18
    for name, value in (values(single) | {"step": 17}).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_without_a_checkpoint_nothing_happens(filled, config, tmp_path):
    before = values(filled)
    checkpoints = Checkpoints(filled, config, tmp_path)
    assert checkpoints.restore_latest() == 0 and checkpoints.saved_step is None
    for name, value in values(filled).items():
        np.testing.assert_array_equal(value, before[name])


def test_only_the_newest_are_kept(config, tmp_path):
    state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    for step in (1, 2, 3, 4):
        state.step.assign(step)
        checkpoints.save()
    names = {path.name.split(".")[0] for path in (tmp_path / DIRECTORY).glob("step-*")}
    assert names == {"step-3", "step-4"}

    # A resumed run goes on counting.
    resumed = Checkpoints(state, config, tmp_path)
    assert resumed.restore_latest() == 4
    state.step.assign(5)
    resumed.save()
    assert {path.name.split(".")[0] for path in (tmp_path / DIRECTORY).glob("step-*")} == {"step-4", "step-5"}


def test_a_step_is_saved_once(config, tmp_path):
    state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    state.step.assign(3)
    checkpoints.save()
    written = (tmp_path / DIRECTORY / "step-3.index").stat().st_mtime_ns
    checkpoints.save()
    assert (tmp_path / DIRECTORY / "step-3.index").stat().st_mtime_ns == written


def test_inference_loads_the_averages(filled, config, run):
    networks, step = load_ema(config, run)
    assert step == 17
    assert networks.discriminator is None
    averages, trained = dict(filled.ema.items()), dict(filled.networks.items())
    for name, network in networks.items():
        assert len(network.get_weights()) == len(averages[name].get_weights()) > 0
        for weight, average in zip(network.get_weights(), averages[name].get_weights(), strict=True):
            np.testing.assert_array_equal(weight, average)
        assert not np.array_equal(network.get_weights()[0], trained[name].get_weights()[0])


def test_the_checkpoint_of_other_domains_is_refused(filled, config, run):
    other = replace(config, domains=("a", "c", "b"))
    with pytest.raises(UserError, match="checkpoint's domains are a, b, c, but the run's are a, c, b"):
        Checkpoints(filled, other, run).restore_latest()


def test_a_run_without_checkpoint_is_named(config, tmp_path):
    with pytest.raises(UserError, match=f"'{tmp_path}' has no checkpoint yet"):
        load_ema(config, tmp_path)
