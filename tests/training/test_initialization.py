from dataclasses import replace

import numpy as np
import pytest

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, RunConfig
from stargan_tf.networks import published_names
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import Checkpoints, check_trainable, save_ema
from stargan_tf.runs.state import create_state
from stargan_tf.training import initialization


@pytest.fixture(scope="module")
def config(tiny_model) -> Config:
    return Config(domains=("cat", "dog", "wild"), model=tiny_model)


def shift(networks, amount: float) -> None:
    """Moves every weight, biases too, so that trained, averaged and fresh weights all differ."""
    for _, network in networks.items():
        network.set_weights([weight + np.float32(amount) for weight in network.get_weights()])


@pytest.fixture(scope="module")
def source(config, tmp_path_factory):
    """A run whose trained and averaged weights differ, and its state."""
    run = tmp_path_factory.mktemp("source") / "run"
    state = create_state(config)
    shift(state.networks, 0.5)
    shift(state.ema, 0.25)
    state.step.assign(7)
    run_directory.open_for_training(run, config)
    Checkpoints(state, config, run).save()
    return run, state


def other(config: Config, domains: tuple[str, ...]) -> Config:
    model = replace(config.model, num_domains=len(domains))
    return replace(config, domains=domains, model=model, training=RunConfig(seed=9))


@pytest.mark.slow
def test_the_same_domains_take_every_weight(config, source):
    run, held = source
    new = other(config, config.domains)
    state = create_state(new)
    message = initialization.initialize(state, new, run)
    assert message.endswith("after 7 steps")
    for ours, theirs in ((state.networks, held.networks), (state.ema, held.ema)):
        for (name, network), (_, expected) in zip(ours.items(), theirs.items(), strict=True):
            for weight, wanted in zip(network.get_weights(), expected.get_weights(), strict=True):
                np.testing.assert_array_equal(weight, wanted, err_msg=name)
    assert int(state.step) == 0


@pytest.mark.slow
def test_domains_are_matched_by_name(config, source):
    run, held = source
    new = other(config, ("fox", "wild", "cat", "owl"))
    fresh = published_names.extract(create_state(new).networks)
    state = create_state(new)
    message = initialization.initialize(state, new, run)
    assert message.endswith("new domains, whose branches start fresh: fox, owl")

    mine, theirs = published_names.extract(state.networks), published_names.extract(held.networks)
    before = {"wild": 2, "cat": 0}
    for index, domain in enumerate(new.domains):
        for network, name in (("mapping_network", "unshared.{}.2.bias"), ("style_encoder", "unshared.{}.weight")):
            held_or_fresh = theirs[network] if domain in before else fresh[network]
            expected = held_or_fresh[name.format(before.get(domain, index))]
            np.testing.assert_array_equal(mine[network][name.format(index)], expected)
        logits = theirs["discriminator"] if domain in before else fresh["discriminator"]
        for name in ("main.6.weight", "main.6.bias"):
            np.testing.assert_array_equal(mine["discriminator"][name][index], logits[name][before.get(domain, index)])
    for network, name in (("generator", "encode.0.conv1.weight"), ("mapping_network", "shared.0.bias")):
        np.testing.assert_array_equal(mine[network][name], theirs[network][name])


@pytest.mark.slow
def test_averaged_networks_alone_are_enough(config, source, tmp_path):
    _, held = source
    run = tmp_path / "averaged"
    run_directory.open_for_training(run, config)
    save_ema(held.ema, 7, config, run)

    state = create_state(other(config, config.domains))
    fresh = state.networks.discriminator.get_weights()
    message = initialization.initialize(state, config, run)
    assert "no discriminator, so that starts fresh" in message
    for networks in (state.networks, state.ema):
        for weight, wanted in zip(networks.generator.get_weights(), held.ema.generator.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, wanted)
    for weight, wanted in zip(state.networks.discriminator.get_weights(), fresh, strict=True):
        np.testing.assert_array_equal(weight, wanted)

    with pytest.raises(UserError, match=r"averaged networks for inference but no discriminator.*--init_from"):
        check_trainable(run)
    check_trainable(source[0])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"style_dim": 9}, "model.style_dim is 8 there and 9 here"),
        ({"image_size": 32, "w_hpf": 1.0}, r"size is \(16, 16\) there and \(32, 32\) here.*w_hpf is 0.0 there and 1.0"),
        ({"max_channels": 16}, "model.max_channels is 8 there and 16 here"),
    ],
)
def test_other_networks_are_refused(config, source, changes, problem):
    new = replace(config, model=replace(config.model, **changes))
    with pytest.raises(UserError, match=problem):
        initialization.check(new, source[0])


def test_a_run_without_checkpoint_is_refused(config, tmp_path):
    with pytest.raises(UserError, match="not a run directory"):
        initialization.check(config, tmp_path)
    configuration.save(config, tmp_path / "config.yaml")
    with pytest.raises(UserError, match="has no checkpoint yet"):
        initialization.check(config, tmp_path)
