"""Signs of a run's health besides its losses: finite weights, sizes of updates, memory."""

import math
import resource
import sys

import keras
import tensorflow as tf

from stargan_tf.runs.adam import Adam
from stargan_tf.runs.state import TrainingState
from stargan_tf.training.hooks.measurements import NonFiniteError


def check_finite(state: TrainingState, step: int) -> None:
    """Checks all weights and their averages; losses show a weight that is not finite only one step later.

    Raises:
        NonFiniteError: one is not.
    """
    for networks in (state.networks, state.ema):
        for name, network in networks.items():
            for variable in network.variables:
                if not bool(tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(variable)))):
                    raise NonFiniteError(f"{name} has a weight that is not finite after step {step} ({variable.path})")


def update_ratios(state: TrainingState) -> dict[str, float]:
    """Computes how far the last update moved each network: |update| / |weights|, about 1e-3 in a healthy run.

    The update is derived from Adam's moments, so that nothing from before it needs to be kept.

    Args:
        state: after at least one step.

    Returns:
        The ratio by name, `update_ratio/NETWORK`.
    """
    return {
        f"update_ratio/{name}": _ratio(state.optimizers[name], network.trainable_variables)
        for name, network in state.networks.items()
    }


def memory() -> dict[str, float]:
    """Returns the peak memory of this process and of each GPU, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = {"memory/host_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}
    for index, _ in enumerate(tf.config.list_physical_devices("GPU")):
        peaks[f"memory/gpu_{index}_gb"] = tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"] / 1e9
    return peaks


def _ratio(optimizer: Adam, variables: list[keras.Variable]) -> float:
    steps = int(optimizer.iterations.numpy())
    first_scale, second_scale = 1 - optimizer.beta_1**steps, 1 - optimizer.beta_2**steps
    updates = weights = 0.0
    # One variable at a time, so that no second copy of a network is held.
    for variable, first, second in zip(variables, optimizer.first_moments, optimizer.second_moments, strict=True):
        first, second = tf.convert_to_tensor(first) / first_scale, tf.convert_to_tensor(second) / second_scale
        updates += float(tf.reduce_sum(tf.square(first / (tf.sqrt(second) + optimizer.epsilon))))
        weights += float(tf.reduce_sum(tf.square(tf.convert_to_tensor(variable))))
    return float(optimizer.learning_rate.numpy()) * math.sqrt(updates / weights)
