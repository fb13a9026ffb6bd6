from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.base.errors import UserError
from stargan_tf.config import ModelConfig

NAMES = ("generator", "mapping_network", "style_encoder", "discriminator")
WITH_MASKS = ModelConfig(
    image_size=64, num_domains=2, latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8, w_hpf=1.0
)


def build(model, seed=0, **options):
    keras.utils.set_random_seed(seed)
    return networks.build(model, **options)


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


def images(model, batch=2, seed=0):
    return tf.tanh(normal(batch, *model.size, 3, seed=seed))


def inputs(model, name):
    domain = tf.constant([0, model.num_domains - 1])
    return {
        "generator": (images(model), normal(2, model.style_dim)),
        "mapping_network": (normal(2, model.latent_dim), domain),
        "style_encoder": (images(model), domain),
        "discriminator": (images(model), domain),
    }[name]


@pytest.fixture(scope="module")
def nets(tiny_model):
    return build(tiny_model)


# ---------------------------------------------------------------------- shapes


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [16, (20, 28), 32, 48, (32, 48), (48, 32), (96, 96), (192, 256), 256], ids=lambda size: str(size)
)
def test_every_size_that_the_rule_allows_works_in_all_networks(size, tiny_model):
    model = replace(tiny_model, image_size=size, base_channels=2, max_channels=4)
    nets = build(model)
    fake = nets.generator(*inputs(model, "generator"))
    assert fake.shape == (2, *model.size, 3)
    assert nets.style_encoder(fake, tf.constant([0, 2])).shape == (2, model.style_dim)
    assert nets.discriminator(fake, tf.constant([0, 2])).shape == (2,)
    assert nets.mapping_network(*inputs(model, "mapping_network")).shape == (2, model.style_dim)
    assert np.isfinite(fake).all()


def test_a_size_that_cannot_work_is_refused(tiny_model):
    with pytest.raises(UserError, match="100x100 cannot work"):
        networks.build(replace(tiny_model, image_size=100))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "w_hpf", "sides"),
    [(16, 0.0, [16] * 2), (64, 0.0, [16] * 2), (32, 1.0, [8] * 2), (64, 1.0, [8] * 2), ((32, 48), 0.0, [16, 24])],
)
def test_the_bottleneck_has_16_pixels_or_8_with_the_high_pass_skip(size, w_hpf, sides, tiny_model):
    model = replace(tiny_model, image_size=size, w_hpf=w_hpf)
    features = build(model, with_discriminator=False).generator.encode(images(model))
    assert list(features["bottleneck"].shape[1:3]) == sides
    assert set(features) == {"bottleneck"} | ({f"side_{s}" for s in (32, 64) if s <= model.size[0]} if w_hpf else set())


def test_widths_double_up_to_the_maximum():
    generator = build(replace(WITH_MASKS, base_channels=3, max_channels=10), with_discriminator=False).generator
    assert [block.conv2.filters for block in generator.encoder] == [6, 10, 10, 10, 10]
    assert [block.conv2.filters for block in generator.decoder] == [10, 10, 10, 6, 3]


def test_variables_exist_right_after_build(nets, tiny_model):
    counts = {name: len(network.variables) for name, network in nets.items()}
    assert min(counts.values()) >= 10
    for name, network in nets.items():
        network(*inputs(tiny_model, name))
    assert {name: len(network.variables) for name, network in nets.items()} == counts


@pytest.mark.slow
def test_without_discriminator(tiny_model):
    nets = build(tiny_model, with_discriminator=False)
    assert nets.discriminator is None
    assert [name for name, _ in nets.items()] == list(NAMES[:3])
    assert [name for name, _ in build(tiny_model).items()] == list(NAMES)


# ---------------------------------------------------------------------- what they compute


def test_one_encoding_serves_many_styles(nets, tiny_model):
    source, style = inputs(tiny_model, "generator")
    features = nets.generator.encode(source)
    for code in (style, -style):
        np.testing.assert_array_equal(nets.generator.decode(features, code), nets.generator(source, code))
    assert np.abs(nets.generator(source, style) - nets.generator(source, -style)).max() > 1e-2


@pytest.mark.parametrize("name", NAMES[1:])
def test_each_example_is_seen_by_the_branch_of_its_domain(name, nets, tiny_model):
    network = dict(nets.items())[name]
    first = inputs(tiny_model, name)[0]
    first = tf.concat([first[:1]] * 3, 0)  # one example, three domains
    outputs = network(first, tf.constant([2, 0, 1])).numpy()
    for output, domain in zip(outputs, (2, 0, 1), strict=True):
        np.testing.assert_allclose(network(first[:1], tf.constant([domain]))[0], output, atol=1e-5)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(outputs[one] - outputs[other]).max() > 1e-3


def test_examples_do_not_influence_each_other(nets, tiny_model):
    for name, network in nets.items():
        first, second = inputs(tiny_model, name)
        both = network(first, second).numpy()
        np.testing.assert_allclose(network(first[1:], second[1:])[0], both[1], atol=1e-5)


@pytest.fixture(scope="module")
def with_masks():
    generator = build(WITH_MASKS, with_discriminator=False).generator
    source, style = inputs(WITH_MASKS, "generator")
    return generator, generator.encode(source), style


def test_masks_of_zeros_carry_nothing_over(with_masks):
    generator, features, style = with_masks
    zeros = tf.zeros((2, 64, 64, 1))
    without = generator.decode(features, style)
    np.testing.assert_allclose(generator.decode(features, style, (zeros, zeros)), without, atol=1e-6)
    for masks in ((zeros + 1, zeros), (zeros, zeros + 1)):
        assert np.abs(generator.decode(features, style, masks) - without).max() > 1e-2


def test_mask_0_serves_32_pixels_and_mask_1_serves_64(with_masks):
    generator, features, style = with_masks
    zeros, ones = tf.zeros((2, 64, 64, 1)), tf.ones((2, 64, 64, 1))
    for kept, masks, other in (("side_32", (ones, zeros), (ones, ones)), ("side_64", (zeros, ones), (ones, ones))):
        only = {"bottleneck": features["bottleneck"], kept: features[kept]}
        expected = generator.decode(only, style, other)
        np.testing.assert_allclose(generator.decode(features, style, masks), expected, atol=1e-5)


def test_a_mask_opens_only_where_it_is_set(with_masks):
    """What follows the skip at 64 px, an instance norm and a 1x1 convolution, changes little elsewhere."""
    generator, features, style = with_masks
    only = {"bottleneck": features["bottleneck"], "side_64": features["side_64"]}
    mask = np.zeros((2, 64, 64, 1), np.float32)
    mask[:, 20:28, 20:28] = 1
    zeros = tf.zeros((2, 64, 64, 1))
    change = np.abs(generator.decode(only, style, (zeros, mask)) - generator.decode(only, style)).mean((0, 3))
    assert change[20:28, 20:28].mean() > 5 * change[:16].mean()


def test_without_the_high_pass_skip_masks_are_ignored(nets, tiny_model):
    source, style = inputs(tiny_model, "generator")
    masks = (tf.ones((2, 16, 16, 1)),) * 2
    np.testing.assert_array_equal(nets.generator(source, style, masks), nets.generator(source, style))


# ---------------------------------------------------------------------- precision


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_keeps_weights_and_outputs_in_float32(name):
    exact = dict(build(WITH_MASKS).items())[name]
    mixed = dict(build(WITH_MASKS, precision="mixed_bfloat16").items())[name]
    mixed.set_weights(exact.get_weights())
    arguments = inputs(WITH_MASKS, name)
    if name == "generator":
        arguments += ((tf.ones((2, 64, 64, 1)), tf.ones((2, 64, 64, 1))),)
    assert {variable.dtype for variable in mixed.variables} == {"float32"}
    assert mixed.compute_dtype == "bfloat16"
    expected, output = exact(*arguments).numpy(), mixed(*arguments)
    assert output.dtype == tf.float32
    error = np.linalg.norm(output - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.1  # not float32 all along, and not something else


# ---------------------------------------------------------------------- initial weights


def test_initial_weights_are_he_normal_and_biases_zero():
    model = ModelConfig(image_size=32, num_domains=3, base_channels=32, max_channels=64, hidden_dim=64, w_hpf=1.0)
    checked = 0
    for _, network in build(model).items():
        for variable in network.variables:
            value, kind = variable.numpy(), variable.path.split("/")[-1]
            if kind == "kernel":
                fan_in = np.prod(value.shape[:-1]) if value.ndim != 3 else value.shape[1]  # [K, in, out] for domains
                if value.size > 2000:
                    checked += 1
                    assert value.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.1), variable.path
                if value.size > 10_000:
                    assert np.abs(value).max() > 3 * value.std(), f"{variable.path} is truncated"
            else:
                assert kind in ("bias", "scale", "offset")
                np.testing.assert_array_equal(value, 1.0 if kind == "scale" else 0.0, err_msg=variable.path)
    assert checked > 30


# ---------------------------------------------------------------------- configuration and files


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_rebuilt_from_its_configuration(name, precision):
    model = replace(WITH_MASKS, spectral_norm=True)
    network = dict(build(model, precision=precision).items())[name]
    copy = type(network).from_config(network.get_config())
    assert copy.get_config() == network.get_config()
    assert copy.compute_dtype == network.compute_dtype
    assert [(v.path, v.shape, v.trainable) for v in copy.variables] == [
        (v.path, v.shape, v.trainable) for v in network.variables
    ]
    copy.set_weights(network.get_weights())
    arguments = inputs(model, name)
    np.testing.assert_array_equal(copy(*arguments), network(*arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_network_is_the_same_when_loaded(name, tmp_path):
    model = replace(WITH_MASKS, spectral_norm=True)
    network = dict(build(model).items())[name]
    random = np.random.default_rng(1)
    network.set_weights([w + 0.1 * random.standard_normal(w.shape) for w in network.get_weights()])
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert type(loaded) is type(network)
    for weight, saved in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, saved)
    arguments = inputs(model, name)
    np.testing.assert_array_equal(loaded(*arguments), network(*arguments))


def test_spectral_norm_is_the_discriminators_only_and_advances(tiny_model):
    nets = build(replace(tiny_model, spectral_norm=True))
    assert [name for name, network in nets.items() if network.non_trainable_variables] == ["discriminator"]
    vectors = nets.discriminator.non_trainable_variables
    assert len(vectors) == len([v for v in nets.discriminator.trainable_variables if v.path.endswith("kernel")])
    before = [v.numpy() for v in vectors]
    nets.discriminator(*inputs(tiny_model, "discriminator"))
    for vector, value in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, value)
    nets.discriminator.advance_spectral_norm()
    assert all(np.abs(vector.numpy() - value).max() > 0 for vector, value in zip(vectors, before, strict=True))
