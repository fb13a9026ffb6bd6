"""What XLA makes of the gradient of a loss, second-order terms included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import RunConfig
from stargan_tf.losses import terms as losses
from stargan_tf.networks.discriminator import Discriminator
from stargan_tf.training.updates import gradients


@pytest.mark.slow
def test_gradients_compiled_by_xla_are_the_plain_ones():
    keras.utils.set_random_seed(0)
    network = Discriminator(image_size=(8, 8), base_channels=4, max_channels=8, num_domains=2)
    images = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)), tf.float32)

    def loss(images):
        logits, penalty = losses.r1(network, images, tf.constant([0, 1]))
        total = tf.reduce_mean(tf.nn.softplus(-logits)) + penalty
        return total, {"reg": penalty}

    results = []
    for jit_compile in (False, True):
        settings = RunConfig(jit_compile=jit_compile)
        compute = tf.function(
            lambda settings=settings: gradients(loss, images, network.trainable_variables, ("reg",), settings),
            autograph=False,
        )
        calls = [op for op in compute.get_concrete_function().graph.get_operations() if "PartitionedCall" in op.type]
        assert any(op.get_attr("_XlaMustCompile") for op in calls) == jit_compile
        results.append(compute())
    (plain, plain_terms), (compiled, compiled_terms) = results
    assert compiled_terms["reg"].numpy() == pytest.approx(plain_terms["reg"].numpy(), rel=1e-5)
    for gradient, value, variable in zip(compiled, plain, network.trainable_variables, strict=True):
        assert np.abs(value).max() > 0
        np.testing.assert_allclose(gradient, value, rtol=1e-4, atol=1e-4 * np.abs(value).max(), err_msg=variable.path)
