from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, DataConfig, LossConfig, OptimizerConfig
from stargan_tf.losses import objectives
from stargan_tf.losses.objectives import GENERATOR_TERMS, Batch
from stargan_tf.runs.state import create_state
from stargan_tf.training import updates
from stargan_tf.training.iteration import latent_codes
from stargan_tf.training.updates import diversity_weight

LAMBDA_DS = tf.constant(1.0)


@pytest.fixture(scope="module")
def config(tiny_model):
    return Config(
        domains=("a", "b", "c"),
        model=replace(tiny_model, spectral_norm=True),
        losses=LossConfig(lambda_reg=0.5, lambda_sty=2.0, lambda_cyc=3.0),
        optimizers=OptimizerConfig(learning_rate=1e-3, mapping_learning_rate=1e-3),
        input=DataConfig(batch_size=3),
    )


@pytest.fixture
def state(config):
    return create_state(config)


@pytest.fixture(scope="module")
def batch(config):
    random = np.random.default_rng(0)

    def images():
        return tf.constant(random.uniform(-1, 1, (3, 16, 16, 3)), tf.float32)

    latent, latent_2 = latent_codes(config, tf.constant(0, tf.int64), tf.constant(0), tf.constant(3))
    return Batch(
        source=images(),
        source_domain=tf.constant([0, 1, 2]),
        reference=images(),
        reference_2=images(),
        target_domain=tf.constant([1, 2, 1]),
        latent=latent,
        latent_2=latent_2,
    )


def values(state) -> dict[str, dict[str, np.ndarray]]:
    return {
        name: {variable.path: variable.numpy() for variable in network.variables}
        for name, network in state.networks.items()
    }


def update_discriminator(state, config, batch, lambda_ds=LAMBDA_DS):
    return updates.update_discriminator(
        state, config, batch, lambda part: objectives.latent_guided_translation(state.networks, part)
    )


def update_latent_guided(state, config, batch, lambda_ds=LAMBDA_DS):
    return update_generator(state, config, batch, latent_guided_loss, updates.G_F_E, lambda_ds)


def update_reference_guided(state, config, batch, lambda_ds=LAMBDA_DS):
    return update_generator(state, config, batch, objectives.reference_guided_loss, updates.G, lambda_ds)


def update_generator(state, config, batch, loss, names, lambda_ds):
    """As the step does it, without the other updates around it."""
    gradient, terms = updates.gradients(
        lambda part: loss(state.networks, config.losses, part, lambda_ds),
        batch,
        state.networks.variables_of(*names),
        GENERATOR_TERMS,
        config.training,
    )
    return terms | updates.apply_gradients(state, names, gradient)


def latent_guided_loss(nets, weights, batch, lambda_ds=LAMBDA_DS):
    translation = objectives.latent_guided_translation(nets, batch)
    return objectives.latent_guided_loss(nets, weights, batch, translation, lambda_ds)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("update", "moved"),
    [
        (update_discriminator, ["discriminator"]),
        (update_latent_guided, ["generator", "mapping_network", "style_encoder"]),
        (update_reference_guided, ["generator"]),
    ],
)
def test_an_update_changes_its_networks_only(update, moved, state, config, batch):
    before = values(state)
    metrics = update(state, config, batch)
    after = values(state)
    for name in before:
        same = [path for path, value in before[name].items() if np.array_equal(value, after[name][path])]
        if name in moved:
            # Every weight moves, if only by its L2 term; of the biases those whose gradient is not zero.
            assert [path for path in same if not path.endswith(("bias", "offset"))] == []
            assert f"grad_norm_{name}" in metrics and int(state.optimizers[name].iterations) == 1
        else:
            assert same == list(before[name])
            assert f"grad_norm_{name}" not in metrics and int(state.optimizers[name].iterations) == 0
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.slow
def test_the_unused_weights_of_the_high_pass_generator_decay_too(config, batch):
    config = replace(config, model=replace(config.model, image_size=32, max_channels=16, w_hpf=1.0))
    state = create_state(config)
    images = tf.image.resize(batch.source, (32, 32))
    batch = replace(batch, source=images, reference=images, reference_2=images[::-1])
    unused = [block.conv1x1 for block in state.networks.generator.decoder if block.conv1x1 is not None]
    before = [layer.kernel.numpy() for layer in unused]
    update_reference_guided(state, config, batch)
    assert len(unused) == 2
    for layer, kernel in zip(unused, before, strict=True):
        change = layer.kernel.numpy() - kernel
        np.testing.assert_array_equal(np.sign(change), -np.sign(kernel))


@pytest.mark.slow
def test_the_generators_objective_is_the_weighted_sum_of_its_terms(state, config, batch):
    for loss in (latent_guided_loss, objectives.reference_guided_loss):
        total, terms = loss(state.networks, config.losses, batch, tf.constant(0.25))
        terms = {name: float(value) for name, value in terms.items()}
        expected = terms["adv"] + 2 * terms["sty"] - 0.25 * terms["ds"] + 3 * terms["cyc"]
        assert float(total) == pytest.approx(expected, rel=1e-5) and terms["total"] == float(total)
        assert min(terms["sty"], terms["ds"], terms["cyc"]) > 0


@pytest.mark.slow
def test_the_generators_terms_are_those_of_the_paper(state, config, batch):
    nets = state.networks
    _, terms = latent_guided_loss(nets, config.losses, batch)
    style = nets.mapping_network(batch.latent, batch.target_domain)
    other = nets.mapping_network(batch.latent_2, batch.target_domain)
    fake = nets.generator(batch.source, style)
    back = nets.generator(fake, nets.style_encoder(batch.source, batch.source_domain))
    expected = {
        "adv": np.mean(np.log1p(np.exp(-nets.discriminator(fake, batch.target_domain)))),
        "sty": np.mean(np.abs(nets.style_encoder(fake, batch.target_domain) - style)),
        "ds": np.mean(np.abs(fake - nets.generator(batch.source, other))),
        "cyc": np.mean(np.abs(back - batch.source)),
    }
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(float(value), rel=1e-4), name


@pytest.mark.slow
def test_the_discriminators_objective(state, config, batch):
    nets = state.networks
    style = nets.style_encoder(batch.reference, batch.target_domain)
    fake = objectives.reference_guided_translation(nets, batch).image
    total, terms = objectives.discriminator_loss(nets, config.losses, batch, fake)
    assert float(total) == pytest.approx(float(terms["real"] + terms["fake"] + 0.5 * terms["reg"]), rel=1e-5)
    logits = nets.discriminator(batch.source, batch.source_domain)
    assert float(terms["real"]) == pytest.approx(np.mean(np.log1p(np.exp(-logits))), rel=1e-4)
    logits = nets.discriminator(nets.generator(batch.source, style), batch.target_domain)
    assert float(terms["fake"]) == pytest.approx(np.mean(np.log1p(np.exp(logits))), rel=1e-4)
    assert float(terms["logit_fake"]) == pytest.approx(np.mean(logits), rel=1e-4, abs=1e-6)


@pytest.mark.slow
def test_the_discriminator_sees_fakes_without_gradient(state, config, batch):
    nets = state.networks

    def largest(*names):
        def loss(batch):
            fake = objectives.latent_guided_translation(nets, batch).image
            return objectives.discriminator_loss(nets, config.losses, batch, fake)

        gradients, _ = updates.gradients(loss, batch, nets.variables_of(*names), (), config.training)
        return max(np.abs(gradient).max() for gradient in gradients)

    assert largest("generator", "mapping_network") == 0
    assert largest("discriminator") > 0


@pytest.mark.slow
def test_masks_reach_the_generator(config, batch):
    model = replace(config.model, image_size=32, w_hpf=1.0)
    nets = create_state(replace(config, model=model)).networks
    images = tf.image.resize(batch.source, (32, 32))
    batch = replace(batch, source=images, reference=images, reference_2=images)
    style = nets.mapping_network(batch.latent, batch.target_domain)
    seen = []

    def masks(images):
        seen.append(images.numpy())
        return tf.ones((3, 32, 32, 1)), tf.ones((3, 32, 32, 1))

    with_masks = replace(batch, source_masks=masks(images), find_masks=masks)
    _, without = latent_guided_loss(nets, config.losses, batch)
    _, terms = latent_guided_loss(nets, config.losses, with_masks)
    assert abs(float(terms["cyc"] - without["cyc"])) > 1e-4
    # The masks of the source for both translations, those of the translation for the way back.
    fake = nets.generator(images, style, masks(images))
    np.testing.assert_array_equal(seen[0], images)
    np.testing.assert_allclose(seen[1], fake, atol=1e-5)


FIRST = tf.constant(0, tf.int64)


@pytest.mark.slow
def test_one_iteration_runs_the_four_updates(state, config, batch):
    metrics = updates.train_step(state, config, batch, FIRST)
    assert {name.split("/")[0] for name in metrics} == {"d_latent", "d_reference", "g_latent", "g_reference"}
    assert {name: int(optimizer.iterations) for name, optimizer in state.optimizers.items()} == {
        "generator": 2,
        "mapping_network": 1,
        "style_encoder": 1,
        "discriminator": 2,
    }
    assert int(state.step) == 0  # the caller's


@pytest.mark.slow
def test_sharing_translations_between_updates_changes_nothing(config, batch):
    shared, separate = create_state(config), create_state(config)
    metrics = updates.train_step(shared, config, batch, FIRST)

    nets, lambda_ds = separate.networks, diversity_weight(config.losses, FIRST)
    terms = {"d_latent": update_discriminator(separate, config, batch)}
    terms["d_reference"] = updates.update_discriminator(
        separate, config, batch, lambda part: objectives.reference_guided_translation(nets, part)
    )
    terms["g_latent"] = update_latent_guided(separate, config, batch, lambda_ds)
    terms["g_reference"] = update_reference_guided(separate, config, batch, lambda_ds)

    for update, expected in terms.items():
        for name, value in expected.items():
            assert float(metrics[f"{update}/{name}"]) == pytest.approx(float(value), rel=1e-4), (update, name)
    for name, network in values(separate).items():
        for path, value in network.items():
            # Adam's first steps have the size of the rate, whatever the gradient; rounding may turn a tiny one around.
            different = np.abs(values(shared)[name][path] - value) > 1e-5
            assert different.mean() < 0.01, (name, path)


@pytest.mark.slow
def test_the_discriminator_alone_sees_augmented_images(state, config, batch):
    nets, seeds = state.networks, [(0, number) for number in range(2)]
    augmented = replace(config.losses, differentiable_augmentation=("color", "translation", "cutout"))
    fake = objectives.latent_guided_translation(nets, batch).image

    def terms(weights, seed):
        seeded = replace(batch, seed=seed)
        _, of_d = objectives.discriminator_loss(nets, weights, seeded, fake)
        _, of_g = latent_guided_loss(nets, weights, seeded)
        return {name: float(value) for name, value in (of_d | of_g).items() if name != "total"}

    plain, first, second = terms(config.losses, seeds[0]), terms(augmented, seeds[0]), terms(augmented, seeds[1])
    assert terms(config.losses, seeds[1]) == plain and terms(augmented, seeds[0]) == first
    for name, value in plain.items():
        if name in ("sty", "ds", "cyc"):
            assert first[name] == second[name] == value
        else:
            assert len({first[name], second[name], value}) == 3, name


@pytest.mark.slow
def test_lazy_regularization_has_the_same_gradient_in_the_mean(state, config, batch):
    nets = state.networks
    fake = objectives.latent_guided_translation(nets, batch).image
    variables = nets.discriminator.trainable_variables

    def gradient(reg_weight):
        loss = lambda part: objectives.discriminator_loss(nets, config.losses, part, fake, reg_weight)  # noqa: E731
        gradients, _ = updates.gradients(loss, batch, variables, (), config.training)
        return [np.asarray(part) for part in gradients]

    always, with_r1, without = gradient(1.0), gradient(4.0), gradient(0.0)
    assert max(np.abs(a - b).max() for a, b in zip(with_r1, without, strict=True)) > 1e-4
    for a, b, c in zip(always, with_r1, without, strict=True):
        np.testing.assert_allclose(a, b / 4 + c * 3 / 4, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_lazy_regularization_is_computed_in_every_nth_step(state, config, batch):
    lazy = replace(config, losses=replace(config.losses, reg_every=3))
    step = tf.function(lambda step: updates.train_step(state, lazy, batch, step), autograph=False)
    reg = [float(step(tf.constant(number, tf.int64))["d_latent/reg"]) for number in range(4)]
    assert [value > 0 for value in reg] == [True, False, False, True]


@pytest.mark.parametrize(("step", "weight"), [(0, 2.0), (1, 1.8), (5, 1.0), (9, 0.2), (10, 0.0), (15, 0.0)])
def test_the_diversity_weight_falls_linearly_to_zero(step, weight):
    losses = LossConfig(lambda_ds=2.0, ds_iter=10)
    assert float(diversity_weight(losses, tf.constant(step, tf.int64))) == pytest.approx(weight, abs=1e-6)


# ---------------------------------------------------------------------- latent codes


def codes(config, step=0, replica=0, replica_batch=4):
    drawn = latent_codes(config, tf.constant(step, tf.int64), tf.constant(replica), tf.constant(replica_batch))
    return [part.numpy() for part in drawn]


@pytest.fixture(scope="module")
def four(config):
    return replace(config, input=DataConfig(batch_size=4))


def test_replicas_share_one_draw(four):
    whole, first, second = codes(four), codes(four, replica=0, replica_batch=2), codes(four, replica=1, replica_batch=2)
    for index in (0, 1):
        assert whole[index].shape == (4, 4)
        np.testing.assert_array_equal(np.concatenate([first[index], second[index]]), whole[index])


def test_codes_follow_from_seed_and_step(four):
    latent, latent_2 = codes(four)
    np.testing.assert_array_equal(codes(four), [latent, latent_2])
    reseeded = replace(four, training=replace(four.training, seed=1))
    others = [latent_2, *codes(four, step=1), *codes(reseeded), *codes(reseeded, step=1)]
    for other in others:
        assert np.abs(other - latent).min() > 0


def test_codes_are_standard_normal(config):
    many = replace(config, input=DataConfig(batch_size=5000))
    for part in codes(many, replica_batch=5000):
        np.testing.assert_allclose(part.mean(0), 0, atol=0.06)
        np.testing.assert_allclose(np.cov(part.T), np.eye(4), atol=0.08)
