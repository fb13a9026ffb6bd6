"""A GPU that is there and that TensorFlow does not use, as `nvidia-smi` of the test's own tells of it."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from stargan_tf.base import command_line
from stargan_tf.base.process import unused_gpu

pytestmark = pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="TensorFlow uses this GPU")


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Returns a function that puts an `nvidia-smi` with an answer on the PATH."""

    def put(answer: str, code: int = 0) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(unused_gpu, "_DRIVER", tmp_path / "proc")
    return put


@pytest.fixture
def without_libraries(monkeypatch):
    monkeypatch.setattr(unused_gpu, "_LIBRARIES", ("libcudart.so.0", "libcudnn.so.0"))


def test_no_gpu(nvidia_smi, monkeypatch):
    nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver", code=9)
    assert unused_gpu.unused_gpu() is None
    nvidia_smi("NVIDIA H100 80GB HBM3, 550.54.15")
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert unused_gpu.unused_gpu() is None


def test_missing_libraries_are_named_and_the_extra_that_brings_them(nvidia_smi, without_libraries):
    nvidia_smi("NVIDIA H100 80GB HBM3, 550.54.15")
    assert unused_gpu.unused_gpu() == (
        "NVIDIA H100 80GB HBM3 (driver 550.54.15) is there, but TensorFlow cannot use it: libcudart.so.0, "
        "libcudnn.so.0 missing; `pip install 'stargan-tf[gpu]'` installs them"
    )


def test_libraries_of_nvidias_packages_count(nvidia_smi, tmp_path, monkeypatch):
    folder = tmp_path / "site" / "nvidia" / "cudnn" / "lib"
    folder.mkdir(parents=True)
    (folder / "libcudnn.so.0").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(unused_gpu, "_LIBRARIES", ("libcudnn.so.0",))
    nvidia_smi("NVIDIA H100 80GB HBM3, 550.54.15")
    assert "libcudnn" not in unused_gpu.unused_gpu()


def test_an_old_driver(nvidia_smi):
    nvidia_smi("Tesla V100-SXM2-16GB, 470.82.01")
    assert unused_gpu.unused_gpu().endswith("its driver is too old; CUDA 12 needs 525.60.13 or later")


def test_a_tensorflow_without_cuda(nvidia_smi, monkeypatch):
    nvidia_smi("NVIDIA L4, 550.54.15")
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": False})
    assert "is built without CUDA; `pip install 'stargan-tf[gpu]'` installs it" in unused_gpu.unused_gpu()


def test_the_kernel_tells_of_a_gpu_where_there_is_no_program(nvidia_smi, without_libraries, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = tmp_path / "proc" / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 98\n")
    (tmp_path / "proc" / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n"
    )
    assert unused_gpu.unused_gpu().startswith("NVIDIA A100-SXM4-40GB (driver 535.183.01) is there, but")


def test_an_answer_that_does_not_come_is_not_waited_for(nvidia_smi, tmp_path, monkeypatch):
    nvidia_smi("'; exec sleep 60 #")
    monkeypatch.setattr(unused_gpu, "_SECONDS", 0.5)
    assert unused_gpu.unused_gpu() is None


def test_what_the_quiet_start_hides_is_told_once(nvidia_smi, without_libraries, capfd):
    nvidia_smi("NVIDIA L4, 550.54.15")
    command_line._unused_gpu.cache_clear()
    try:
        for _ in range(2):
            with command_line.quiet_start():
                os.write(2, b"lines of TensorFlow\n")
        assert capfd.readouterr().err.startswith("note: NVIDIA L4 (driver 550.54.15) is there, but TensorFlow cannot")
    finally:
        command_line._unused_gpu.cache_clear()
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_training_says_so_or_refuses(nvidia_smi, data_path, tmp_path):
    """quiet_start hides what TensorFlow says of it."""
    nvidia_smi("NVIDIA H100 80GB HBM3, 470.82.01")
    command = [sys.executable, "-m", "stargan_tf.train", "--data", str(data_path), "--run", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def train(*flags: str) -> tuple[int, str]:
        process = subprocess.run([*command, *flags], capture_output=True, text=True, env=environment)
        return process.returncode, process.stderr

    sentence = "NVIDIA H100 80GB HBM3 (driver 470.82.01) is there, but TensorFlow cannot use it: its driver is too old"
    code, err = train("--training.require_gpu")
    assert code == 2 and f"error: --training.require_gpu is true, and {sentence}" in err
    assert not (tmp_path / "run").exists()
    # One that ends before the first step, since it is no square.
    code, err = train("--model.w_hpf", "1", "--model.image_size", "[16, 20]")
    assert code == 2 and err.startswith(f"note: {sentence}")
