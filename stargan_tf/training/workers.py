"""How the processes of a job agree with each other, and what happens when one is lost."""

import contextlib
import signal
from collections.abc import Iterator

import tensorflow as tf

from stargan_tf.base import stand_ins
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.training.distribution import num_workers

# How TensorFlow reports that a peer no longer answers; which one depends on who notices first.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class WorkerLostError(TryAgainError):
    """Another process of the job does not answer."""


class Workers:
    """The processes of a job, each of which runs the same program; the first one is the chief, which alone writes.

    All of them must call these methods at the same places of the program. With one process they cost nothing.

    Args:
        strategy: the devices of all.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self.count = num_workers(strategy)
        resolver = strategy.cluster_resolver if self.count > 1 else None
        # A cluster without a job of that name has its first worker for a chief.
        chief = resolver is None or resolver.task_type == "chief" or "chief" not in resolver.cluster_spec().jobs
        self.is_chief = chief and (resolver is None or resolver.task_id == 0)
        self._sum = tf.function(self._traced_sum, autograph=False)

    def say(self, *words: str, flush: bool = False) -> None:
        """Prints what the chief says, and nothing of what the others say."""
        if self.is_chief:
            print(*map(stand_ins.told, words), flush=flush)

    def total(self, *values: int) -> list[int]:
        """Returns the sums of numbers over the workers."""
        if self.count == 1:
            return list(values)
        return [int(value) for value in self._sum(tf.constant(values, tf.int64))]

    def stop_signal(self, received: signal.Signals | None) -> signal.Signals | None:
        """Returns the signal that any worker has received, so that all stop after the same step."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        totals = self.total(*(int(received is number) for number in numbers))
        return next((number for number, total in zip(numbers, totals, strict=True) if total), None)

    def check_same_step(self, step: int) -> None:
        """Checks that all workers have restored the same step.

        Raises:
            UserError: they have not, so they do not see the same run directory.
        """
        total, squares = self.total(step, step * step)
        if total != step * self.count or squares * self.count != total * total:
            raise UserError(
                f"this worker found step {step} in its run directory, but others another one; --run must be on a file "
                "system that all workers share, or on a store"
            )

    def wait(self) -> None:
        """Waits until all workers are here."""
        self.total(0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """While it is entered, the loss of another worker raises WorkerLostError."""
        try:
            yield
        except _LOST as error:
            if self.count == 1:
                raise
            raise WorkerLostError(
                f"another worker of the job is lost ({_reason(error)}), so this one stops too; start all of them again "
                "with the same command, and the run goes on from its last checkpoint"
            ) from error

    def _traced_sum(self, values: tf.Tensor) -> tf.Tensor:
        replicas = self.strategy.num_replicas_in_sync // self.count
        each = self.strategy.run(tf.identity, args=(values,))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None) // replicas


def _reason(error: tf.errors.OpError) -> str:
    """Returns what happened, without TensorFlow's account of where."""
    lines = [line.strip() for line in str(error.message).splitlines()]
    return next((line for line in lines if line.startswith("Collective ops")), type(error).__name__)
