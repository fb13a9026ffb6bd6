"""Signs of a run's health besides its losses: finite weights, sizes of updates, memory."""

import math
import resource
import sys

import keras
import tensorflow as tf

from stargan_tf.runs.state import TrainingState
from stargan_tf.training.hooks.measurements import NonFiniteError

# Values of each variable by which updates are measured, at most.
_SAMPLED = 50_000


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


class UpdateRatios:
    """How far a call (one iteration, or `steps_per_call`) moved each network: |update| / |weights|.

    Args:
        state: of the run; its weights are compared with what they were when `start` was called.
    """

    def __init__(self, state: TrainingState):
        self._networks = state.networks.items()
        self._before: dict[str, list[tf.Tensor]] = {}

    def start(self) -> None:
        """Takes a sample of all weights, before the call."""
        self._before = {name: _sample(network.trainable_variables) for name, network in self._networks}

    def ratios(self) -> dict[str, float]:
        """Returns the ratio of each network by name, `update_ratio/NETWORK`, after the call; none without `start`."""
        ratios = {}
        for name, network in self._networks if self._before else ():
            after, updates, weights = _sample(network.trainable_variables), 0.0, 0.0
            for variable, new, old in zip(network.trainable_variables, after, self._before[name], strict=True):
                stands_for = math.prod(variable.shape) / new.shape[0]
                updates += stands_for * float(tf.reduce_sum(tf.square(new - old)))
                weights += stands_for * float(tf.reduce_sum(tf.square(new)))
            ratios[f"update_ratio/{name}"] = math.sqrt(updates / weights)
        self._before = {}
        return ratios


def memory() -> dict[str, float]:
    """Returns the peak memory of this process and of each GPU, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = {"memory/host_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}
    for index, _ in enumerate(tf.config.list_physical_devices("GPU")):
        peaks[f"memory/gpu_{index}_gb"] = tf.config.experimental.get_memory_info(f"GPU:{index}")["peak"] / 1e9
    return peaks


def _sample(variables: list[keras.Variable]) -> list[tf.Tensor]:
    """Returns evenly spread values of each variable, so that no second copy of a network is held."""
    return [
        tf.reshape(tf.convert_to_tensor(variable), [-1])[:: math.prod(variable.shape) // _SAMPLED + 1]
        for variable in variables
    ]
