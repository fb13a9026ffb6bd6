"""Which cuDNN TensorFlow opens, and whether its XLA works with it."""

import ctypes

from stargan_tf.base.errors import UserError
from stargan_tf.base.process.unused_gpu import packaged

# With these TensorFlow 2.21's XLA finds no algorithm for a convolution with a bias.
_NOT_FOR_XLA = ((9, 3), (9, 5))


def version() -> tuple[int, int, int] | None:
    """Returns the version of the cuDNN 9 that TensorFlow opens, None where there is none."""
    for library in (*map(str, packaged("libcudnn.so.9")), "libcudnn.so.9"):
        try:
            number = ctypes.CDLL(library).cudnnGetVersion()
        except (OSError, AttributeError):
            continue
        return number // 10_000, number // 100 % 100, number % 100
    return None


def check_for_xla() -> None:
    """Checks that XLA can compile convolutions for a GPU.

    Raises:
        UserError: this cuDNN is one of those with which it cannot.
    """
    found = version()
    if found is not None and found[:2] in _NOT_FOR_XLA:
        raise UserError(
            f"--training.jit_compile needs a cuDNN other than 9.3 and 9.5, and this is {'.'.join(map(str, found))}, "
            "with which XLA finds no convolution; `pip install --upgrade nvidia-cudnn-cu12` brings a later one"
        )
