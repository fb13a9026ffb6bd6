import numpy as np
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import load_ema

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def translator(trained_run):
    return Translator.from_run(trained_run, batch_size=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 3)).astype(np.float32)


def test_batches_do_not_change_the_result(translator, images, trained_run):
    styles = translator.styles_from_latents(translator.draw_latents(6, seed=1), "square")
    whole = Translator.from_run(trained_run, batch_size=6)
    np.testing.assert_allclose(translator.translate(images, styles), whole.translate(images, styles), atol=1e-5)


def test_translations_are_clipped_and_follow_the_style(translator, images):
    styles = translator.styles_from_latents(translator.draw_latents(2, seed=1), "square")
    outputs = translator.translate_all(images, 50 * styles)
    assert outputs.shape == (2, 6, 16, 16, 3)
    assert outputs.min() >= -1 and outputs.max() <= 1
    assert not np.allclose(outputs[0], outputs[1])
    np.testing.assert_allclose(outputs[1, 2:3], translator.translate(images[2:3], 50 * styles[1:]), atol=1e-4)


def test_styles_depend_on_the_domain(translator, images):
    latents = translator.draw_latents(3, seed=2)
    assert not np.allclose(
        translator.styles_from_latents(latents, "circle"), translator.styles_from_latents(latents, "square")
    )
    assert not np.allclose(
        translator.styles_from_references(images, "circle"), translator.styles_from_references(images, "square")
    )


def test_truncation_goes_from_the_mean_style_to_the_style(translator):
    latents = translator.draw_latents(2, seed=3)
    full, half, none = (translator.styles_from_latents(latents, "circle", psi) for psi in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(none[0], none[1], atol=1e-6)
    np.testing.assert_allclose(half, (full + none) / 2, atol=1e-6)
    latents = np.random.default_rng(5).standard_normal((10_000, translator.latent_dim), np.float32)
    many = translator.styles_from_latents(latents, "circle")
    np.testing.assert_allclose(none[0], many.mean(axis=0), atol=5 * many.std() / 100)


def test_latents_belong_to_their_seeds(translator):
    latents = translator.draw_latents(200, seed=-3)
    np.testing.assert_array_equal(translator.draw_latents(2, seed=4), latents[7:9])
    assert len(np.unique(latents)) == latents.size
    np.testing.assert_allclose([latents.mean(), latents.std()], [0, 1], atol=0.1)


def test_an_unknown_domain_is_named(translator):
    with pytest.raises(UserError, match="no domain 'hexagon'; the run knows circle, square, triangle"):
        translator.styles_from_latents(translator.draw_latents(1, seed=0), "hexagon")


@pytest.mark.parametrize("count", [1, 3, 4])
def test_one_style_after_another_gives_the_same_images(count, translator, images):
    styles = translator.styles_from_latents(translator.draw_latents(5, seed=1), "square")
    outputs = list(translator.each_style(images[:count], styles))
    assert len(outputs) == 5
    np.testing.assert_allclose(outputs, translator.translate_all(images[:count], styles), atol=1e-5)


def test_one_style_after_another_needs_images_that_fit_into_a_batch(translator, images):
    with pytest.raises(ValueError, match="5 images are more than the batch size, 4"):
        next(translator.each_style(images[:5], np.zeros((1, translator.style_dim), np.float32)))


def test_what_follows_from_weights_that_move_is_computed_anew(trained_run):
    """As in a run that trains, whose averages the translator reads."""
    config = run_directory.load_config(trained_run)
    averages, step = load_ema(config, trained_run)
    moving = Translator(averages, config, batch_size=4, step=step)
    before = (
        moving.fingerprint,
        moving.mean_styles,
        moving.styles_from_latents(np.ones((1, 4), np.float32), "circle", 0),
    )
    for variable in averages.mapping_network.trainable_variables:
        variable.assign(variable + 0.1)
    assert moving.fingerprint != before[0]
    assert not np.allclose(moving.mean_styles, before[1])
    after = moving.styles_from_latents(np.ones((1, 4), np.float32), "circle", 0)
    np.testing.assert_array_equal(after[0], moving.mean_styles[0])
    assert not np.allclose(after, before[2])


def test_what_follows_from_weights_that_stay_is_computed_once(translator):
    assert translator.mean_styles is translator.mean_styles
    assert translator.fingerprint is translator.fingerprint
