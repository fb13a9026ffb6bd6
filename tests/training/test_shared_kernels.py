from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.config import Config, DataConfig, RunConfig
from stargan_tf.losses.objectives import Batch
from stargan_tf.networks import convolution
from stargan_tf.runs.state import create_state
from stargan_tf.training import updates

pytestmark = pytest.mark.slow


def configuration(model, precision="mixed_bfloat16", **training):
    model = replace(model, fused=True, image_size=32, spectral_norm=True)
    training = RunConfig(precision=precision, devices=1, **training)
    return Config(domains=("a", "b", "c"), model=model, input=DataConfig(batch_size=2), training=training)


def batch(config):
    random = np.random.default_rng(0)
    images = [tf.constant(random.uniform(-1, 1, (2, *config.model.size, 3)), tf.float32) for _ in range(3)]
    codes = [tf.constant(random.standard_normal((2, config.model.latent_dim)), tf.float32) for _ in range(2)]
    domains = tf.constant([0, 1]), tf.constant([1, 2])
    return Batch(images[0], domains[0], images[1], images[2], domains[1], *codes)


def traced(config):
    """One iteration, its graph, and the networks that it moves."""
    state = create_state(config)
    step = tf.function(
        lambda: updates.train_step(state, config, batch(config), tf.constant(0, tf.int64)), autograph=False
    )
    return step, step.get_concrete_function().graph, state


def weights_of(state):
    return {variable.path: variable.numpy() for _, network in state.networks.items() for variable in network.variables}


def moved(config):
    """The metrics of two iterations, and how far each weight went in them."""
    step, _, state = traced(config)
    before = weights_of(state)
    metrics = [{name: value.numpy() for name, value in step().items()} for _ in range(2)]
    after = weights_of(state)
    return metrics, {path: after[path] - before[path] for path in before}


def make_always(variable, kernel, x, change=None):
    return tf.cast(change(kernel) if change else kernel, x.dtype)


@pytest.mark.parametrize(
    ("reg_every", "way"),
    [(1, {}), (2, {}), (1, {"microbatches": 2}), (1, {"rematerialize": True})],
    ids=["plain", "branches", "parts", "rematerialized"],
)
def test_training_is_the_same_as_with_kernels_made_in_every_call(tiny_model, monkeypatch, reg_every, way):
    # In float32 rounding cannot hide a mistake. Only 4x4 kernels are made there.
    config = configuration(tiny_model, "float32", **way)
    config = replace(config, losses=replace(config.losses, reg_every=reg_every))
    metrics, weights = moved(config)
    monkeypatch.setattr(convolution, "made_once", make_always)
    expected_metrics, expected = moved(config)
    for row, expected_row in zip(metrics, expected_metrics, strict=True):
        for name, value in expected_row.items():
            np.testing.assert_allclose(row[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    for path, value in expected.items():
        assert np.linalg.norm(weights[path] - value) <= 1e-2 * np.linalg.norm(value), path


def test_each_kernel_is_cast_once_while_it_stays_the_same(tiny_model, monkeypatch):
    def casts():
        """Casts of the first kernel of G's encoder's second block, which no update but G's own can change."""
        _, graph, state = traced(configuration(tiny_model))
        network = state.networks.generator
        kernel = network.encoder[1].conv2._kernel
        return sum(
            operation.outputs[0].dtype == tf.bfloat16
            for operation in graph.get_operations()
            if operation.type == "Cast"
            and operation.inputs[0].op.type == "ReadVariableOp"
            and operation.inputs[0].op.inputs[0].name == graph_name(graph, kernel)
        )

    assert casts() == 2
    monkeypatch.setattr(convolution, "made_once", make_always)
    assert casts() == 4


def graph_name(graph, variable):
    """The name of the placeholder by which a graph knows a variable."""
    handle = variable.value.handle
    return next(inside.name for outside, inside in graph.captures if outside is handle)
