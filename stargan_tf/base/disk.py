"""What a run says when its directory cannot be written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from stargan_tf.base.errors import UserError

# As which errors Python and TensorFlow report it.
WRITE_ERRORS = (OSError, tf.errors.OpError)


@contextlib.contextmanager
def writing(run: Path) -> Iterator[None]:
    """Tells in a sentence that a run directory cannot be written; put it around nothing that computes.

    Raises:
        UserError: it cannot: the disk is full, for example.
    """
    try:
        yield
    except WRITE_ERRORS as error:
        raise UserError(
            f"the run directory {str(run)!r} cannot be written ({reason(error)}); its checkpoints are as they were, "
            "and the same command goes on from the newest"
        ) from error


def reason(error: OSError | tf.errors.OpError) -> str:
    """Returns what went wrong, in a few words."""
    text = str(error.strerror) if isinstance(error, OSError) else error.message
    return "no space left on the device" if "No space left" in text else text.splitlines()[0]
