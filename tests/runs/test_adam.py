import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.runs.adam import Adam


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def adam_of_the_paper(weight, gradients, rate, beta_1, beta_2, epsilon, l2):
    """Algorithm 1 of arXiv 1412.6980, with the L2 term in the gradient; yields the weight after every step."""
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    for step, gradient in enumerate(gradients, 1):
        gradient = gradient + l2 * weight
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        corrected_first, corrected_second = first / (1 - beta_1**step), second / (1 - beta_2**step)
        weight = weight - rate * corrected_first / (np.sqrt(corrected_second) + epsilon)
        yield weight


@pytest.mark.parametrize("beta_1", [0.0, 0.9])
@pytest.mark.parametrize("epsilon", [1e-8, 0.3])  # the large one shows where it is added
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_adam_is_that_of_the_paper(beta_1, epsilon, l2, float64):
    random = np.random.default_rng(0)
    weights = [random.standard_normal((3, 4)), random.standard_normal(5)]
    gradients = [[random.standard_normal(weight.shape) for _ in range(6)] for weight in weights]
    variables = [keras.Variable(weight, dtype="float64") for weight in weights]
    optimizer = Adam(0.05, beta_1, 0.99, epsilon, l2)
    optimizer.build(variables)

    expected = [
        list(adam_of_the_paper(weight, group, 0.05, beta_1, 0.99, epsilon, l2))
        for weight, group in zip(weights, gradients, strict=True)
    ]
    for step in range(6):
        optimizer.apply([tf.constant(group[step]) for group in gradients], variables)
        for variable, values in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable.numpy(), values[step], rtol=1e-8)
    assert int(optimizer.iterations) == 6


def test_adam_in_float32_within_a_graph():
    random = np.random.default_rng(0)
    weight, gradients = random.standard_normal(50), random.standard_normal((4, 50))
    variable = keras.Variable(weight, dtype="float32")
    optimizer = Adam(1e-2, 0.0, 0.99, 1e-8, 1e-4)
    optimizer.build([variable])
    apply = tf.function(lambda gradient: optimizer.apply([gradient], [variable]))
    for gradient in gradients:
        apply(tf.constant(gradient, tf.float32))
    *_, expected = adam_of_the_paper(weight, gradients, 1e-2, 0.0, 0.99, 1e-8, 1e-4)
    np.testing.assert_allclose(variable.numpy() - weight, expected - weight, rtol=1e-3, atol=1e-6)


def test_a_first_moment_that_is_the_gradient_is_not_kept():
    variables = [keras.Variable(np.ones((3, 4))), keras.Variable(np.ones(5))]
    sizes = {}
    for beta_1 in (0.0, 0.5):
        optimizer = Adam(beta_1=beta_1)
        optimizer.build(variables)
        sizes[beta_1] = sum(int(np.prod(variable.shape)) for variable in optimizer.variables)
    assert sizes[0.5] - sizes[0.0] == 17 and sizes[0.0] == 17 + 2


def test_a_gradient_of_zero_still_decays_the_weight():
    variable = keras.Variable([2.0, -3.0])
    optimizer = Adam(0.1, l2=1e-4)
    optimizer.build([variable])
    optimizer.apply([tf.zeros(2)], [variable])
    np.testing.assert_allclose(variable.numpy(), [1.9, -2.9], rtol=1e-4)  # Adam normalizes the size of the term away


def test_the_configuration_rebuilds_it():
    optimizer = Adam(3e-3, 0.25, 0.875, 1e-5, 0.5, name="adam_generator")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(copy) is Adam
    assert copy.get_config() == optimizer.get_config()
    assert (copy.beta_1, copy.beta_2, copy.epsilon, copy.l2, copy.name) == (0.25, 0.875, 1e-5, 0.5, "adam_generator")
    assert float(copy.learning_rate) == pytest.approx(3e-3)
