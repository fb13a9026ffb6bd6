"""Imports the conversion with TensorFlow, which takes seconds, only when the command line was checked."""

from types import ModuleType

from stargan_tf.base import command_line


def start_tensorflow() -> ModuleType:
    """Imports `conversion`, and hides what TensorFlow prints while it starts.

    Returns:
        The module `stargan_tf.interop.conversion`.
    """
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.interop import conversion

        tf.config.list_logical_devices()
    return conversion
