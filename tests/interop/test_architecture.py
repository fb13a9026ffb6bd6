import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stargan_tf import networks
from stargan_tf.base.errors import UserError
from stargan_tf.config import ModelConfig
from stargan_tf.interop.architecture import infer
from stargan_tf.networks import published_names

REFERENCE = Path(__file__).parents[1] / "reference"

SMALL = ModelConfig(
    image_size=32, num_domains=3, latent_dim=4, style_dim=6, hidden_dim=10, base_channels=4, max_channels=12
)
MODELS = {
    "small": SMALL,
    "smallest": replace(SMALL, image_size=16, num_domains=2),
    "skip": replace(SMALL, w_hpf=1.0),
    "skip 64": replace(SMALL, image_size=64, w_hpf=1.0),
    "not doubling": replace(SMALL, base_channels=8, max_channels=8),
    "narrowing": replace(SMALL, base_channels=8, max_channels=6),
    "doubling throughout": replace(SMALL, max_channels=512),
    "published widths": replace(SMALL, image_size=256, base_channels=None, max_channels=64, num_domains=2),
    "not a power of two": replace(SMALL, image_size=48),
    "not square": replace(SMALL, image_size=(48, 64)),
}


def zeros(shapes) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of these shapes that take no memory."""
    return {
        network: {name: np.broadcast_to(np.float32(0), tuple(shape)) for name, shape in tensors.items()}
        for network, tensors in shapes.items()
    }


def weights(model) -> dict[str, dict[str, np.ndarray]]:
    places = published_names.parameters(networks.build(model))
    return zeros({network: {name: place.shape for name, place in found.items()} for network, found in places.items()})


@pytest.fixture(scope="module")
def state():
    return weights(SMALL)


def changed(state, network, **tensors):
    """Returns the state with other tensors in a network; None takes one out."""
    merged = state[network] | {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    return state | {network: {name: tensor for name, tensor in merged.items() if tensor is not None}}


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_found(name):
    model = MODELS[name]
    held = weights(model)
    given = None if model.image_size in (16, 32, 64, 256) else model.image_size
    assert infer(held, image_size=given) == model
    del held["discriminator"]
    assert infer(held, image_size=given) == model


@pytest.mark.parametrize(("file", "num_domains", "w_hpf"), [("afhq_like_small", 3, 0.0), ("celeba_like_small", 2, 1.0)])
def test_the_published_networks(file, num_domains, w_hpf):
    with np.load(REFERENCE / f"{file}.npz") as arrays:
        held = zeros(json.loads(bytes(arrays["meta"]))["parameters"])
    assert infer(held) == ModelConfig(image_size=256, num_domains=num_domains, max_channels=32, w_hpf=w_hpf)


@pytest.mark.parametrize("name", ["small", "smallest", "skip", "narrowing"])
def test_any_one_tensor_may_be_missing(name):
    """It is `published_names.assign` that lists it, beside all others."""
    held = weights(MODELS[name])
    wrong = {}
    for network, tensors in held.items():
        for tensor in tensors:
            found = infer(changed(held, network, **{tensor: None}))
            if found != MODELS[name]:
                wrong[f"{network}/{tensor}"] = replace(found, latent_dim=4) == MODELS[name]
    # The length of a latent code stands nowhere else.
    assert wrong == {"mapping_network/shared.0.weight": True}


def test_a_transposed_tensor_does_not_matter(state):
    for network, tensors in state.items():
        for name, tensor in tensors.items():
            if tensor.ndim >= 2:
                assert infer(changed(state, network, **{name: tensor.swapaxes(0, 1)})) == SMALL


def test_the_weight_of_the_high_pass_skip_is_given_or_the_published_one(state):
    skip = weights(MODELS["skip"])
    assert infer(skip).w_hpf == 1.0
    assert infer(skip, w_hpf=0.5).w_hpf == 0.5
    assert infer(state, w_hpf=0.0).w_hpf == 0.0
    with pytest.raises(UserError, match=r"--w_hpf is 0.0, but the generator is one with the high-pass skip"):
        infer(skip, w_hpf=0.0)
    with pytest.raises(UserError, match=r"--w_hpf is 1.0, but the generator is one without the high-pass skip"):
        infer(state, w_hpf=1.0)


@pytest.mark.parametrize("size", [16, 31, 64, (32, 31), 0])
def test_an_image_size_that_the_networks_are_not_for(size, state):
    with pytest.raises(UserError, match="for images whose shorter side is at least 32 and below 64"):
        infer(state, image_size=size)


def test_sizes_that_no_network_takes(state):
    with pytest.raises(UserError, match=r"image size 33x33 cannot work: .*multiples of 8"):
        infer(state, image_size=33)


def test_networks_that_do_not_belong_together(state):
    other = weights(replace(SMALL, image_size=128))
    mixed = state | {"generator": other["generator"]}
    with pytest.raises(UserError, match=r"has 3 encoder blocks, or 4 with the high-pass skip, but it has 5$"):
        infer(mixed)
    mixed = state | {"discriminator": other["discriminator"]}
    with pytest.raises(UserError, match="halve the image is 3 in style_encoder, 5 in discriminator"):
        infer(mixed)
    # The published widths tell 256 px from 128 px even where the depth does not, because of the skip.
    published = {size: weights(replace(SMALL, image_size=size, base_channels=None)) for size in (128, 256)}
    with pytest.raises(UserError, match="channels at full resolution is 64 in generator, 128 in style_encoder"):
        infer({**published[128], "generator": published[256]["generator"]})
    for field, what in (("num_domains", "the number of domains"), ("style_dim", "the length of a style code")):
        other = weights(replace(SMALL, **{field: 5}))
        with pytest.raises(UserError, match=f"do not belong together: {what} is 5 in mapping_network, . in style_enc"):
            infer(state | {"mapping_network": other["mapping_network"]})


def test_other_networks(state):
    resnet = zeros({"generator": {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 3, 3)}})
    everywhere = dict.fromkeys(("generator", "mapping_network", "style_encoder"), resnet["generator"])
    for held in (resnet, everywhere, {}, state | {"style_encoder": resnet["generator"], "discriminator": {}}):
        with pytest.raises(UserError, match=r"not the weights of a StarGAN v2: .*looked for tensors named from_rgb"):
            infer(held)


def test_a_made_up_depth(state):
    held = changed(state, "style_encoder", shared__900__conv1__bias=np.zeros(4))
    del held["discriminator"]
    with pytest.raises(UserError, match=r"not the weights of a StarGAN v2: 900 blocks of style_encoder halve"):
        infer(held)
