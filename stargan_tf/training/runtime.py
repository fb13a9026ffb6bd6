"""Settings of TensorFlow that hold for the whole process, made before its first operation."""

import os

import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.base.process import cudnn
from stargan_tf.base.process.unused_gpu import unused_gpu
from stargan_tf.config import RunConfig


def configure(settings: RunConfig) -> None:
    """Makes TensorFlow compute as a run asks; to be called before TensorFlow's first operation.

    Args:
        settings: the run's.

    Raises:
        UserError: they cannot work on this machine.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if settings.require_gpu and not gpus:
        raise UserError(f"--training.require_gpu is true, and {unused_gpu() or 'this machine has no NVIDIA GPU'}")
    if settings.precision == "mixed_bfloat16" and not gpus and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        raise UserError(
            "mixed_bfloat16 on a CPU needs oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 turns off (ten times slower than "
            "float32); unset it or choose --training.precision float32"
        )
    if settings.jit_compile and gpus:
        cudnn.check_for_xla()
    if settings.threads_per_op is not None:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads_per_op)
    tf.config.experimental.enable_tensor_float_32_execution(settings.tf32)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()


# Of larger images the rewriting saves memory: a seventh of it at 256 px.
_MOST_PIXELS_LEFT_AS_THEY_ARE = 128 * 128


def begin_soon(image_size: tuple[int, int]) -> None:
    """Leaves graphs as they are where that shortens the wait for the first step and costs nothing later.

    That is so for small images on CPUs (`benchmarks/first_step.py`); on GPUs Grappler chooses layouts.

    Args:
        image_size: height and width of the data's images in pixels.
    """
    is_small = image_size[0] * image_size[1] <= _MOST_PIXELS_LEFT_AS_THEY_ARE
    if is_small and not tf.config.list_physical_devices("GPU"):
        leave_graphs_as_they_are()


def leave_graphs_as_they_are() -> None:
    """Keeps Grappler from rewriting graphs before they run for the first time.

    See https://www.tensorflow.org/guide/graph_optimization.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
