"""What is measured between two records of a run: means of the metrics, and how the time was spent."""

import contextlib
import math
import time
from collections.abc import Iterator

from stargan_tf.base.errors import DivergedError
from stargan_tf.config import Config
from stargan_tf.training.calls import DATA_WAIT
from stargan_tf.training.iteration import StepMetrics


class NonFiniteError(DivergedError):
    """A loss, gradient or weight became infinite or NaN."""


class Measurements:
    """Collects the metrics of the steps since the last record, without waiting for the device at each of them.

    Args:
        config: resolved.
    """

    def __init__(self, config: Config):
        self._config = config
        self._calls: list[tuple[int, StepMetrics]] = []
        self._seconds = dict.fromkeys(("step", "summaries", "checkpoint", "evaluation"), 0.0)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Counts the time inside as spent on `step`, `summaries`, `checkpoint` or `evaluation`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] += time.perf_counter() - start

    def add(self, first_step: int, metrics: StepMetrics) -> None:
        """Adds the metrics of the steps of one call, the first of which was `first_step`."""
        self._calls.append((first_step, metrics))

    def close(self) -> dict[str, float]:
        """Ends the steps since the last record.

        Returns:
            Since the last call: the means of the metrics, the seconds per step in each phase, and the speed of training
            without summaries and checkpoints; and the learning rates.

        Raises:
            NonFiniteError: a metric is not finite; the message says which, at which step.
        """
        with self.phase("step"):  # waits for the device if it still computes
            values = [row for first_step, metrics in self._calls for row in enumerate(metrics.rows(), first_step)]
        self._calls = []
        for step, metrics in values:
            bad = [name for name, value in metrics.items() if not math.isfinite(value)]
            if bad:
                raise NonFiniteError(
                    f"{bad[0]} is {metrics[bad[0]]} at step {step}, among steps {values[0][0]} to {values[-1][0]}"
                )
        count = len(values)
        means = {name: sum(metrics[name] for _, metrics in values) / count for name in values[0][1]}
        times = {f"time/{phase}": seconds / count for phase, seconds in self._seconds.items()}
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        rate = 1 / times["time/step"]
        times["time/step"] -= means.get(DATA_WAIT, 0.0)  # the calls wait for their batches themselves
        optimizers = self._config.optimizers
        return (
            means
            | times
            | {
                "learning_rate/networks": optimizers.learning_rate,
                "learning_rate/mapping_network": optimizers.mapping_learning_rate,
                "speed/steps_per_second": rate,
                "speed/images_per_second": rate * self._config.input.batch_size,
            }
        )
