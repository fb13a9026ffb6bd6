"""What the processes of a job must have in common, or they train different networks without a word."""

import hashlib
import importlib.metadata
import os
from pathlib import Path

import tensorflow as tf

import stargan_tf
from stargan_tf.config import Config, flatten
from stargan_tf.data.manifest import hash_file
from stargan_tf.data.records import DataDirectory, fingerprint
from stargan_tf.runs.checkpoint_files import path_of, saved_steps

# What draws, decodes or computes; another version of one of them may give other numbers.
_PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "opencv-python-headless", "simplejpeg")
# Variables that change how TensorFlow computes.
_VARIABLES = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
_DIGITS = 12  # of a hash, enough to tell apart and to read


def facts(config: Config, data: DataDirectory, run: Path, init_from: Path | None) -> dict[str, str]:
    """Returns what decides the weights of a run, by name.

    Args:
        config: resolved.
        data: the data directory.
        run: the run directory.
        init_from: run directory whose weights a new run starts from.

    Returns:
        Short texts, for people to read. Of a file only its content counts, wherever it lies.
    """
    found = {"the fingerprint of the data": fingerprint(data)[:_DIGITS], "the code of stargan_tf": _code()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "missing"
    found |= {name: os.environ.get(name) or "not set" for name in _VARIABLES}
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found["the devices"] = f"{len(tf.config.list_physical_devices(kind))} {kind}"
    if init_from is not None and (start := _newest(init_from)):
        found["--init_from"] = "step {}, {}".format(*start)
    if newest := _newest(run):  # a shared file system may show the newest one late; that is told by another check
        found[f"the checkpoint of step {newest[0]}"] = newest[1]
    return found | {f"--{name}": str(value) for name, value in flatten(config).items()}


def _code() -> str:
    """Returns version and hash of the package."""
    folder, whole = Path(stargan_tf.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        whole.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return f"{stargan_tf.__version__} ({whole.hexdigest()[:_DIGITS]})"


def _newest(run: Path) -> tuple[int, str] | None:
    """Returns step and hash of a run's newest checkpoint; the index holds checksums of all tensors."""
    if not (steps := saved_steps(run)):
        return None
    return steps[0], hash_file(f"{path_of(run, steps[0])}.index")[0][:_DIGITS]
