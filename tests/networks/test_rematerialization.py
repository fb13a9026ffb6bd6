"""Blocks that are computed again in the backward pass have the gradients of those that are not, of second order too."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.losses import terms as losses
from stargan_tf.networks.discriminator import Discriminator
from stargan_tf.networks.generator import Generator
from stargan_tf.networks.rematerialization import rematerialize

pytestmark = pytest.mark.slow

COMMON = {"base_channels": 4, "max_channels": 8}


def compiled_gradients(network, loss):
    """Returns the loss, its gradients for all trainable variables, and how many convolutions its graph has."""

    @tf.function(autograph=False)
    def compute():
        values = [variable.value for variable in network.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            total = loss()
        return total, tape.gradient(total, values)

    operations = compute.get_concrete_function().graph.get_operations()
    total, gradients = compute()
    return total.numpy(), [gradient.numpy() for gradient in gradients], [op.type for op in operations].count("Conv2D")


@pytest.mark.parametrize(("kind", "precision"), [("generator", "mixed_bfloat16"), ("discriminator", "float32")])
def test_gradients_are_those_of_the_plain_blocks(kind, precision):
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    images = tf.constant(random.uniform(-1, 1, (2, 16, 16, 3)), tf.float32)
    style, domain = tf.constant(random.standard_normal((2, 8)), tf.float32), tf.constant([0, 1])
    if kind == "generator":
        network = Generator(image_size=(16, 16), **COMMON, style_dim=8, dtype=precision)

        def loss():
            return tf.reduce_mean(tf.square(network(images, style) - images))
    else:
        images = images[:, :8, :8]
        network = Discriminator(image_size=(8, 8), **COMMON, num_domains=2, spectral_norm=True, dtype=precision)

        def loss():
            logits, penalty = losses.r1(network, images, domain)
            return tf.reduce_mean(tf.nn.softplus(-logits)) + penalty

    expected_loss, expected, plain = compiled_gradients(network, loss)
    rematerialize(network)
    total, gradients, computed_again = compiled_gradients(network, loss)
    assert computed_again >= 1.5 * plain
    assert total == pytest.approx(expected_loss, rel=1e-6)
    assert len(gradients) > 10
    for gradient, value, variable in zip(gradients, expected, network.trainable_variables, strict=True):
        assert np.isfinite(value).all()
        assert gradient == pytest.approx(value, rel=1e-5, abs=1e-5 * float(np.abs(expected[0]).max())), variable.path
