"""Five steps on the same batches whatever the devices, and a program that does them as one of several workers."""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from stargan_tf import train
from stargan_tf.config import Config, DataConfig, ModelConfig, OptimizerConfig, RunConfig
from stargan_tf.runs.state import TrainingState, create_state
from stargan_tf.training.distribution import create_strategy, distribute
from stargan_tf.training.iteration import compile_iteration
from stargan_tf.training.workers import Workers

STEPS = 5
RATE = 1e-3


# Rates that move every weight visibly. Some biases stand before a normalization that takes them out again: their
# gradients are rounding errors. By the L2 term such a bias grows by rate * l2 / epsilon each update, tenfold with the
# default epsilon.
CONFIG = Config(
    domains=("a", "b", "c"),
    model=ModelConfig(
        image_size=16, num_domains=3, latent_dim=4, style_dim=8, hidden_dim=8, base_channels=4, max_channels=8
    ),
    optimizers=OptimizerConfig(learning_rate=RATE, mapping_learning_rate=RATE, ema_decay=0.9, epsilon=1e-6),
    input=DataConfig(batch_size=4),
    training=RunConfig(precision="float64"),
)


def run_steps(strategy: tf.distribute.Strategy, config: Config) -> tuple[TrainingState, dict, list[dict[str, float]]]:
    """Trains in float64: rounding in float32 turns the sign of small gradients, which Adam makes large.

    Returns:
        The state, its weights before, and the metrics of every step.
    """
    random = np.random.default_rng(0)
    batch_size = config.input.batch_size
    count = STEPS * batch_size

    def images():
        return random.integers(0, 256, (count, *config.model.size, 3), np.uint8)

    data = {
        "source": images(),
        "source_domain": np.arange(count, dtype=np.int32) % 3,
        "reference": images(),
        "reference_2": images(),
        "target_domain": (np.arange(count, dtype=np.int32) // 2 + 1) % 3,
    }

    def rows(worker: int, num_workers: int) -> tf.data.Dataset:
        share = batch_size // num_workers
        batches = tf.data.Dataset.from_tensor_slices(data).batch(batch_size)
        return batches.map(lambda batch: {k: v[worker * share : (worker + 1) * share] for k, v in batch.items()})

    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        with strategy.scope():
            state = create_state(config)
        before = weights(state)
        iterate = compile_iteration(strategy, state, config)
        batches = iter(distribute(strategy, batch_size, rows))
        metrics = [iterate(next(batches)).rows()[0] for _ in range(STEPS)]
    finally:
        keras.config.set_floatx(floatx)
    return state, before, metrics


def weights(state: TrainingState) -> dict[str, np.ndarray]:
    """Returns trained and averaged weights by name."""
    return {
        f"{kind}/{name}/{index}/{variable.path}": variable.numpy()  # paths alone are not unique
        for kind in ("networks", "ema")
        for name, network in getattr(state, kind).items()
        for index, variable in enumerate(network.variables)
    }


def main() -> int:
    """As the worker that TF_CONFIG says: five steps, the chief's weights to a file; then what the flags say."""
    output, *flags = sys.argv[1:]
    strategy = create_strategy("multi_worker")
    state, _, metrics = run_steps(strategy, CONFIG)
    if Workers(strategy).is_chief:
        totals = np.array([step["g_latent/total"] for step in metrics])
        np.savez(Path(output), metrics=totals, **{name.replace("/", "|"): v for name, v in weights(state).items()})
    return train.main(flags)


if __name__ == "__main__":
    sys.exit(main())
