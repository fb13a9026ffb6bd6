"""Tells whether the device that trains has units for bfloat16, which a user may not know."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from stargan_tf.config import RunConfig

# Instructions that multiply bfloat16, as Linux names them, and the first generation of GPUs that does.
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
_FIRST_GPU = (8, 0)
_CPU_FACTS = Path("/proc/cpuinfo")


def note(settings: RunConfig) -> str | None:
    """Returns a line that names the faster arithmetic, or None if the run has it or the device has not.

    Args:
        settings: the run's.
    """
    if settings.precision != "float32":
        return None
    gpus = tf.config.list_physical_devices("GPU")
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
    if not has_bfloat16(capabilities, _CPU_FACTS):
        return None
    device = "GPU" if gpus else "processor"
    return f"note: this {device} has units for bfloat16: --training.precision mixed_bfloat16 may be much faster"


def has_bfloat16(gpus: Sequence[tuple[int, int] | None], cpu_facts: Path) -> bool:
    """Returns whether what trains multiplies bfloat16 in hardware.

    Args:
        gpus: compute capability of each GPU, None where it is not known; without any the CPU trains.
        cpu_facts: file in which Linux describes the CPU; where there is none, nothing is known.
    """
    if gpus:
        return all(capability is not None and tuple(capability) >= _FIRST_GPU for capability in gpus)
    try:
        lines = cpu_facts.read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and _CPU_FLAGS & set(line.split()) for line in lines)
