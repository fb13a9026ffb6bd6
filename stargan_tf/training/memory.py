"""Memory that does not suffice, on any device, told in a sentence with what needs less of it."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from stargan_tf.base.command_line import out_of_memory
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config


@contextlib.contextmanager
def enough_memory(config: Config) -> Iterator[None]:
    """Put around training.

    Args:
        config: of the run, for what it could do to need less.

    Raises:
        UserError: the memory of a device is used up.
    """
    try:
        yield
    except Exception as error:
        if (problem := out_of_memory(error)) is None:
            raise
        settings, batch_size = config.training, config.input.batch_size
        ways = [
            f"compute the batch of {batch_size} in more parts (--training.microbatches {2 * settings.microbatches})"
        ]
        if not settings.rematerialize:
            ways.append("keep less between the passes (--training.rematerialize true)")
        if settings.memory_pool and not tf.config.list_physical_devices("GPU"):
            ways.append("keep no memory that tensors gave back (--training.memory_pool false)")
        ways.append(f"take a smaller batch (--input.batch_size {max(batch_size // 2, 1)})")
        raise UserError(f"{problem}; {', '.join(ways[:-1])}, or {ways[-1]}") from error
