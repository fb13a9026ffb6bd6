"""Why TensorFlow does not use a GPU that the machine has: it says so only in its log, and computes on the CPU."""

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

EXTRA = "`pip install 'stargan-tf[gpu]'` installs it"
# The first driver that runs programs of any CUDA 12 (NVIDIA, CUDA compatibility, minor versions).
LEAST_DRIVER = (525, 60, 13)

# What TensorFlow 2.21 opens, by these names.
_LIBRARIES = (
    "libcudart.so.12",
    "libcublas.so.12",
    "libcublasLt.so.12",
    "libcufft.so.11",
    "libcusolver.so.11",
    "libcusparse.so.12",
    "libcudnn.so.9",
)
_DRIVER = Path("/proc/driver/nvidia")
_SECONDS = 20  # that nvidia-smi may take; where no daemon keeps the driver awake, it takes some


class _Gpu(NamedTuple):
    name: str
    driver: str  # version, "" if it is unknown


def unused_gpu() -> str | None:
    """Looks for an NVIDIA GPU that TensorFlow does not see; to be called where it sees none.

    Returns:
        One sentence that names the GPU, what is missing, and how to get it; None where there is no GPU, or the user has
        hidden it (CUDA_VISIBLE_DEVICES).
    """
    gpu = _found()
    if gpu is None or os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return None
    driver = f" (driver {gpu.driver})" if gpu.driver else ""
    return f"{gpu.name}{driver} is there, but TensorFlow cannot use it: {_reason(gpu)}"


def _found() -> _Gpu | None:
    """Returns the first GPU that the driver knows."""
    if (program := shutil.which("nvidia-smi")) is not None:
        command = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            answer = ""
        if answer.strip():
            name, _, driver = answer.splitlines()[0].rpartition(",")
            return _Gpu(name.strip() or "a GPU", driver.strip())
    for file in sorted(_DRIVER.glob("gpus/*/information")):
        model = re.search(r"Model:\s*(.+)", file.read_text(errors="replace"))
        version = _DRIVER / "version"
        number = re.search(r"\s(\d+\.[\d.]+)\s", version.read_text(errors="replace")) if version.is_file() else None
        return _Gpu(model[1].strip() if model else "a GPU", number[1] if number else "")
    return None


def _reason(gpu: _Gpu) -> str:
    import tensorflow as tf

    if not tf.sysconfig.get_build_info().get("is_cuda_build"):
        return f"this TensorFlow is built without CUDA; {EXTRA}, in an environment without tensorflow-cpu"
    if gpu.driver and _numbers(gpu.driver) < LEAST_DRIVER:
        return f"its driver is too old; CUDA 12 needs {'.'.join(map(str, LEAST_DRIVER))} or later"
    missing = [name for name in _LIBRARIES if not _can_be_opened(name)]
    if missing:
        return f"{', '.join(missing)} missing; {EXTRA.replace('it', 'them') if len(missing) > 1 else EXTRA}"
    if not _can_be_opened("libcuda.so.1"):
        return "the driver's library libcuda.so.1 is missing; a container needs `--gpus all` to have it"
    return "TF_CPP_MIN_LOG_LEVEL=0 makes TensorFlow say why"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def packaged(library: str) -> list[Path]:
    """Returns where NVIDIA's packages of pip have a library; TensorFlow looks there, and where the system does."""
    packages = importlib.util.find_spec("nvidia")
    folders = list(packages.submodule_search_locations or ()) if packages is not None else []
    return [file for folder in folders for file in Path(folder).glob(f"*/lib/{library}")]


def _can_be_opened(library: str) -> bool:
    if packaged(library):
        return True
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
