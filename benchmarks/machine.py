"""What a benchmark ran on, and how much of its memory was in use."""

import platform
import resource
from pathlib import Path


def processor() -> str:
    """Returns the name of the processor, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def peak_memory(reset: bool = False) -> int:
    """Tells the most memory that was in use at once.

    Args:
        reset: start anew; only that of a GPU can.

    Returns:
        Bytes of the first GPU, or of this process where there is none.
    """
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kibibytes on Linux
    if reset:
        tf.config.experimental.reset_memory_stats("GPU:0")
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]
