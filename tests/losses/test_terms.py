import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.losses import terms as losses


@pytest.mark.parametrize(
    ("form", "logits", "real", "fake", "generator"),
    [
        # softplus(0) = 0.693147, softplus(2) = 2.126928, softplus(-2) = 0.126928
        ("logistic", [0.0, 2.0], 0.4100376, 1.4100376, 0.4100376),
        ("logistic", [-2.0, -2.0], 2.126928, 0.126928, 2.126928),
        ("least_squares", [0.0, 3.0], 0.5 * (1 + 4) / 2, 0.5 * (0 + 9) / 2, 0.5 * (1 + 4) / 2),
        ("hinge", [-0.5, 2.0], (1.5 + 0) / 2, (0.5 + 3) / 2, -0.75),
        ("hinge", [-3.0, 1.0], (4 + 0) / 2, (0 + 2) / 2, 1.0),
    ],
)
def test_adversarial(form, logits, real, fake, generator):
    adversarial = losses.ADVERSARIAL[form]
    logits = tf.constant(logits)
    assert float(adversarial.real(logits)) == pytest.approx(real, rel=1e-5)
    assert float(adversarial.fake(logits)) == pytest.approx(fake, rel=1e-5)
    assert float(adversarial.generator(logits)) == pytest.approx(generator, rel=1e-5)


def test_the_logistic_loss_does_not_overflow():
    adversarial = losses.ADVERSARIAL["logistic"]
    assert float(adversarial.fake(tf.constant([1000.0]))) == 1000
    assert float(adversarial.generator(tf.constant([-1000.0]))) == 1000


class PolynomialDiscriminator(keras.Model):
    """logit = sum(w[domain] * x^power) / power, of which every derivative is known."""

    def __init__(self, weight, power):
        super().__init__()
        self.power = power
        self.weight = self.add_weight(shape=weight.shape, initializer="zeros", name="weight")
        self.weight.assign(weight)
        self.built = True

    def call(self, images, domain):
        weight = tf.tensordot(tf.one_hot(domain, 2), self.weight.value, 1)
        return tf.reduce_sum(weight * images**self.power, (1, 2, 3)) / self.power


def r1_and_gradient(discriminator, images, domain):
    with tf.GradientTape() as tape:
        logits, value = losses.r1(discriminator, tf.constant(images), tf.constant(domain))
    return logits, float(value), tape.gradient(value, discriminator.weight.value).numpy()


@pytest.fixture
def weight():
    return np.random.default_rng(0).standard_normal((2, 4, 6, 3)).astype(np.float32)


@pytest.fixture
def images():
    return np.random.default_rng(1).standard_normal((3, 4, 6, 3)).astype(np.float32)


def test_r1_of_a_linear_discriminator(weight, images):
    domain = [1, 0, 1]
    logits, value, gradient = r1_and_gradient(PolynomialDiscriminator(weight, 1), images, domain)
    np.testing.assert_allclose(logits, (weight[domain] * images).sum((1, 2, 3)), rtol=1e-4, atol=1e-4)
    squared = (weight**2).sum((1, 2, 3))
    assert value == pytest.approx(0.5 * (2 * squared[1] + squared[0]) / 3, rel=1e-5)
    np.testing.assert_allclose(gradient, weight * np.array([1 / 3, 2 / 3])[:, None, None, None], rtol=1e-5, atol=1e-7)


def test_r1_of_a_quadratic_discriminator(weight, images):
    _, value, gradient = r1_and_gradient(PolynomialDiscriminator(weight, 2), images, [0, 0, 0])
    assert value == pytest.approx(0.5 * ((weight[0] * images) ** 2).sum() / 3, rel=1e-5)
    np.testing.assert_allclose(gradient[0], (weight[0] * images**2).mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gradient[1], 0)


def test_style_reconstruction():
    value = losses.style_reconstruction(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([[1.5, 0.0], [3.0, 5.0]]))
    assert float(value) == pytest.approx((0.5 + 2 + 0 + 1) / 4)


def test_style_diversification_has_no_gradient_through_the_second_image():
    fake, other = tf.fill((2, 2, 2, 3), 0.75), tf.fill((2, 2, 2, 3), -0.5)
    with tf.GradientTape() as tape:
        tape.watch([fake, other])
        value = losses.style_diversification(fake, other)
    to_fake, to_other = tape.gradient(value, [fake, other])
    assert float(value) == 1.25
    np.testing.assert_allclose(to_fake, np.full((2, 2, 2, 3), 1 / 24))
    assert to_other is None


def test_cycle_consistency():
    images = tf.zeros((2, 2, 1, 3))
    reconstructed = tf.concat([tf.fill((1, 2, 1, 3), -0.5), tf.fill((1, 2, 1, 3), 0.25)], 0)
    assert float(losses.cycle_consistency(images, reconstructed)) == pytest.approx(0.375)
