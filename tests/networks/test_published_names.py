import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from stargan_tf import networks
from stargan_tf.base.errors import UserError
from stargan_tf.config import ModelConfig
from stargan_tf.networks import published_names

REFERENCE = Path(__file__).parents[1] / "reference"


def build(model, seed=0):
    keras.utils.set_random_seed(seed)
    return networks.build(model)


@pytest.fixture(scope="module")
def model(tiny_model):
    return replace(tiny_model, image_size=32, w_hpf=1.0)


@pytest.fixture
def state(model):
    """Published weights of their own for every network: random everywhere, biases and scales too."""
    random = np.random.default_rng(0)
    return {
        network: {name: random.standard_normal(place.shape).astype(np.float32) for name, place in places.items()}
        for network, places in published_names.parameters(build(model)).items()
    }


def weights(nets) -> list[np.ndarray]:
    return [weight for _, network in nets.items() for weight in network.get_weights()]


@pytest.mark.slow
def test_a_round_trip_is_exact(model, state):
    nets = build(model, seed=1)
    published_names.assign(nets, state)
    extracted = published_names.extract(nets)
    assert extracted.keys() == state.keys()
    for network, tensors in state.items():
        assert extracted[network].keys() == tensors.keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(extracted[network][name], tensor, err_msg=f"{network}/{name}")

    fresh = build(model, seed=2)
    published_names.assign(fresh, extracted)
    for one, other in zip(weights(nets), weights(fresh), strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_weight_has_a_name(model):
    nets = build(model)
    parameters = published_names.parameters(nets).values()
    named = sum(np.prod(place.shape, dtype=int) for places in parameters for place in places.values())
    assert named == sum(weight.size for weight in weights(nets))


def test_layouts(model, state):
    nets = build(model, seed=1)
    published_names.assign(nets, state)

    conv = nets.generator.encoder[0].conv2.kernel.numpy()  # [height, width, in, out]
    published = state["generator"]["encode.0.conv2.weight"]  # [out, in, height, width]
    assert published.shape == (8, 4, 3, 3) and conv.shape == (3, 3, 4, 8)
    assert conv[2, 0, 3, 7] == published[7, 3, 2, 0]

    dense = nets.mapping_network.shared[0].kernel.numpy()  # [in, out]
    published = state["mapping_network"]["shared.0.weight"]  # [out, in]
    assert published.shape == (8, 4) and dense.shape == (4, 8)
    assert dense[3, 7] == published[7, 3]

    style = nets.generator.decoder[1].norm2.fc.kernel.numpy()
    assert style[5, 11] == state["generator"]["decode.1.norm2.fc.weight"][11, 5]
    np.testing.assert_array_equal(nets.generator.to_rgb_norm.scale.numpy(), state["generator"]["to_rgb.0.weight"])
    np.testing.assert_array_equal(nets.generator.to_rgb_norm.offset.numpy(), state["generator"]["to_rgb.0.bias"])


def test_domain_branches_land_in_their_slices(model, state):
    nets = build(model, seed=1)
    published_names.assign(nets, state)
    for domain in range(3):
        branches = state["mapping_network"]
        for index, layer in enumerate(nets.mapping_network.unshared):
            weight, bias = (branches[f"unshared.{domain}.{2 * index}.{kind}"] for kind in ("weight", "bias"))
            np.testing.assert_array_equal(layer.kernel.numpy()[domain], weight.T)
            np.testing.assert_array_equal(layer.bias.numpy()[domain], bias)
        layer, branches = nets.style_encoder.unshared, state["style_encoder"]
        np.testing.assert_array_equal(layer.kernel.numpy()[domain], branches[f"unshared.{domain}.weight"].T)
        np.testing.assert_array_equal(layer.bias.numpy()[domain], branches[f"unshared.{domain}.bias"])


def test_a_network_that_is_left_out_keeps_its_weights(model, state):
    nets = build(model, seed=1)
    before = nets.discriminator.get_weights()
    del state["discriminator"]
    published_names.assign(nets, state)
    for weight, kept in zip(nets.discriminator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    np.testing.assert_array_equal(nets.generator.to_rgb.bias.numpy(), state["generator"]["to_rgb.2.bias"])


def test_every_problem_is_listed_and_nothing_is_loaded(model, state):
    state["generator"]["encode.9.conv1.weight"] = np.zeros(3)
    state["fan"] = {"conv1.weight": np.zeros(3)}
    del state["mapping_network"]["unshared.2.6.bias"]
    del state["discriminator"]["main.0.weight"]
    state["style_encoder"]["unshared.1.weight"] = np.zeros((8, 7), np.float32)
    state["generator"]["to_rgb.2.bias"] = np.zeros(4, np.float32)

    nets = build(model, seed=1)
    before = weights(nets)
    with pytest.raises(UserError) as raised:
        published_names.assign(nets, state)
    message = str(raised.value)
    unknown, missing, misshapen = message.split("; ")[1:]
    assert unknown == "unknown: fan, generator/encode.9.conv1.weight"
    assert missing.startswith("missing: ")
    assert set(missing.removeprefix("missing: ").split(", ")) == {
        "mapping_network/unshared.2.6.bias",
        "discriminator/main.0.weight",
    }
    assert misshapen.startswith("of another shape: ")
    assert "style_encoder/unshared.1.weight is (8, 7), not (8, 8)" in misshapen
    assert "generator/to_rgb.2.bias is (4,), not (3,)" in misshapen
    for weight, kept in zip(weights(nets), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "num_domains", "w_hpf"), [("afhq_like_small", 3, 0.0), ("celeba_like_small", 2, 1.0)])
def test_names_and_shapes_are_those_published(file, num_domains, w_hpf):
    with np.load(REFERENCE / f"{file}.npz") as arrays:
        meta = json.loads(bytes(arrays["meta"]))
    published = meta["parameters"]
    model = ModelConfig(
        image_size=256,
        num_domains=num_domains,
        base_channels=published["generator"]["from_rgb.weight"][0],
        max_channels=meta["max_channels"],
        style_dim=published["style_encoder"]["unshared.0.bias"][0],
        latent_dim=published["mapping_network"]["shared.0.weight"][1],
        hidden_dim=published["mapping_network"]["shared.0.weight"][0],
        w_hpf=w_hpf,
    )
    ours = {
        network: {name: list(place.shape) for name, place in places.items()}
        for network, places in published_names.parameters(build(model)).items()
    }
    assert ours == published
