"""The state of training: networks, their moving averages, optimizers, the step counter."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from stargan_tf import networks
from stargan_tf.config import Config, ModelConfig
from stargan_tf.networks import Networks
from stargan_tf.networks.rematerialization import rematerialize
from stargan_tf.runs.adam import Adam


@dataclass(frozen=True)
class TrainingState:
    """Everything that a checkpoint holds.

    Args:
        networks: G, F, E and D, which training moves.
        ema: moving averages of G, F and E, which are used for inference.
        optimizers: one for each network, by its name.
        step: number of finished iterations, int64.
        rollbacks: number of times that the run went back to a checkpoint, int64; after each it draws other latent codes
            and images. Checkpoints call it `noise`.
    """

    networks: Networks
    ema: Networks
    optimizers: dict[str, Adam]
    step: tf.Variable
    rollbacks: tf.Variable


def create_state(config: Config) -> TrainingState:
    """Builds networks, moving averages and optimizers, with all of their variables; call it in the strategy's scope.

    Args:
        config: resolved (see `config.resolve`).

    Returns:
        The state before the first step; equal for equal configurations.
    """
    keras.utils.set_random_seed(config.training.seed)
    trained = networks.build(config.model, config.training.precision)
    ema = build_ema(config.model, config.training.precision)
    for name, average in ema.items():
        average.set_weights(getattr(trained, name).get_weights())
    optimizers = {}
    for name, network in trained.items():
        if config.training.rematerialize:
            rematerialize(network)
        optimizers[name] = create_optimizer(config, name)
        optimizers[name].build(network.trainable_variables)
    step, rollbacks = (tf.Variable(0, dtype=tf.int64, trainable=False, name=name) for name in ("step", "rollbacks"))
    return TrainingState(trained, ema, optimizers, step, rollbacks)


def build_ema(model: ModelConfig, precision: str) -> Networks:
    """Builds G, F and E, for the moving average or for inference from it."""
    return networks.build(model, precision, with_discriminator=False)


def create_optimizer(config: Config, network: str) -> Adam:
    """Returns the optimizer of a network by its name."""
    settings = config.optimizers
    return Adam(
        settings.rate_of(network),
        settings.beta_1,
        settings.beta_2,
        settings.epsilon,
        settings.l2,
        name=f"adam_{network}",
    )


def update_ema(state: TrainingState, decay: float) -> None:
    """Moves the averages towards the weights; in cross-replica context, or each replica would have its own average."""
    strategy = tf.distribute.get_strategy()

    def move(average, weight):
        average.assign_sub((1.0 - decay) * (average - weight))

    for name, network in state.ema.items():
        trained = getattr(state.networks, name)
        for average, weight in zip(network.trainable_variables, trained.trainable_variables, strict=True):
            strategy.extended.update(average.value, move, args=(weight.value,), group=False)
