"""What `benchmarks.gpu` measures, each in a process of its own."""

import contextlib
import fcntl
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import peak_memory, processor
from stargan_tf.base import command_line

if TYPE_CHECKING:
    from benchmarks.gpu import Arguments, Case

DOMAINS = ("cat", "dog", "wild")
_REAL_IMAGES = 300
_TRANSLATED = (1, 16)


def measure(case: "Case", arguments: "Arguments") -> dict[str, Any]:
    """Measures a case in this process.

    Args:
        case: what.
        arguments: the command line.

    Returns:
        Numbers and texts by name.
    """
    kinds = {"machine": _machine, "parity": _parity, "training": _training, "translation": _translation}
    return kinds[case.kind](arguments, **case.settings)


@contextlib.contextmanager
def _alone(arguments: "Arguments") -> Iterator[None]:
    """Waits until no other case is timed, and keeps others from it."""
    assert arguments.turn is not None  # the command gives it to its processes
    with Path(arguments.turn).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _machine(arguments: "Arguments") -> dict[str, Any]:
    with command_line.quiet_start():
        import tensorflow as tf

        devices = tf.config.list_logical_devices()
    build = tf.sysconfig.get_build_info()
    facts: dict[str, Any] = {"processor": f"{processor()}, {len(os.sched_getaffinity(0))} CPUs"}
    for index, gpu in enumerate(tf.config.list_physical_devices("GPU")):
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ())))
        facts[f"GPU {index}"] = f"{details.get('device_name', 'unknown')}, compute capability {capability}"
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
        facts["driver, memory"] = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()[0]
    facts["TensorFlow"] = tf.__version__
    for name in ("cuda_version", "cudnn_version"):
        facts[f"built for {name.partition('_')[0]}"] = build.get(name, "none: a build for CPUs")
    facts["devices"] = ", ".join(device.name for device in devices)
    return facts


def _parity(arguments: "Arguments", file: str, precision: str) -> dict[str, Any]:
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "tests.parity", str(root / "tests" / "reference" / f"{file}.npz")]
    # In float32, rounding alone decides about gradients; outputs and losses are compared in it in either case.
    flags = ["--float32"] if precision == "float32" else []
    environment = os.environ | {"NVIDIA_TF32_OVERRIDE": "0"}
    done = subprocess.run([*command, *flags], capture_output=True, text=True, cwd=root, env=environment)
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[-1:] in (["yes"], ["NO"], ["no"])]
    if not rows:
        raise RuntimeError(f"no rows of parity: {done.stderr[-500:]}")
    right = sum(row[-1] == "yes" for row in rows)
    return {"within limits": f"{right} of {len(rows)}", "largest error": max(float(row[-3]) for row in rows)}


def _training(
    arguments: "Arguments",
    preset: str = "afhq_256",
    batch_size: int = 8,
    fused: bool | None = False,
    devices: int = 1,
    real_data: bool = False,
    **training: Any,
) -> dict[str, Any]:
    with command_line.quiet_start():
        from stargan_tf.config import Config, DataConfig, LossConfig, RunConfig
        from stargan_tf.networks.face_network import FaceNetwork
        from stargan_tf.runs.state import create_state
        from stargan_tf.training import runtime
        from stargan_tf.training.calls import DATA_WAIT, compile_steps
        from stargan_tf.training.distribution import create_strategy

        settings = RunConfig(**training)
        runtime.configure(settings)
        strategy = create_strategy(devices=devices)
    config = Config(
        domains=DOMAINS,
        model=_model(arguments, preset, fused),
        losses=LossConfig(lambda_ds=2.0),
        input=DataConfig(batch_size=batch_size),
        training=settings,
    )
    with strategy.scope():
        state = create_state(config)
        face_network = FaceNetwork() if config.model.needs_face_network else None
    calls = compile_steps(strategy, state, config, face_network)
    count = settings.steps_per_call
    repetitions = 2 if arguments.tiny else arguments.repetitions
    with tempfile.TemporaryDirectory() as directory:
        batches = _batches(strategy, config, Path(directory) if real_data else None)
        start = time.perf_counter()
        calls(batches, count).rows()
        first = time.perf_counter() - start
        with _alone(arguments):
            peak_memory(reset=True)
            calls(batches, count).rows()
            seconds, waits = [], []
            for _ in range(max(2, repetitions // count)):
                start = time.perf_counter()
                rows = calls(batches, count).rows()
                seconds.append((time.perf_counter() - start) / count)
                waits += [row[DATA_WAIT] for row in rows if DATA_WAIT in row]
    median = statistics.median(seconds)
    waiting = statistics.mean(waits) / statistics.mean(seconds) if real_data and waits else None
    return {
        "seconds": median,
        "images_per_second": batch_size / median,
        "peak_gb": peak_memory() / 1e9,
        "waiting": waiting,
        "first_seconds": first,
    }


def _model(arguments: "Arguments", preset: str, fused: bool | None):
    from stargan_tf.config import PRESETS

    model = replace(PRESETS[preset].model, num_domains=len(DOMAINS), fused=fused)
    if arguments.tiny:
        model = replace(model, image_size=32, base_channels=4, max_channels=8, w_hpf=0.0)
    return model


def _batches(strategy, config, directory: Path | None) -> Iterator[dict]:
    """Yields batches from memory, or of real records that are written into a directory."""
    import numpy as np
    import tensorflow as tf

    from benchmarks.made_data import photograph, write_records
    from stargan_tf.data.input_pipeline import training_dataset
    from stargan_tf.data.records import open_data_directory
    from stargan_tf.training.distribution import distribute

    height, width = config.model.size
    if directory is not None:
        files = []
        for domain in DOMAINS:
            (directory / domain).mkdir()
            files.append([str(directory / domain / f"{index}.jpg") for index in range(_REAL_IMAGES // len(DOMAINS))])
        for seed, path in enumerate(itertools.chain.from_iterable(files)):
            Path(path).write_bytes(photograph(seed, height))
        data = open_data_directory(write_records(files, (height, width), False, directory))
        return iter(strategy.experimental_distribute_dataset(training_dataset(data, config.input, seed=0)))
    random = np.random.default_rng(0)

    def made(worker: int, workers: int) -> tf.data.Dataset:
        rows = config.input.batch_size // workers
        names = ("source", "reference", "reference_2")
        batch = {name: random.integers(0, 256, (rows, height, width, 3), np.uint8) for name in names}
        labels = np.arange(rows, dtype=np.int32) % len(DOMAINS)
        batch |= {"source_domain": labels, "target_domain": (labels + 1) % len(DOMAINS)}
        return tf.data.Dataset.from_tensors(batch).repeat().prefetch(2)

    return iter(distribute(strategy, config.input.batch_size, made))


def _translation(arguments: "Arguments") -> dict[str, Any]:
    """Milliseconds from images in the process's memory to translations there."""
    import numpy as np

    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf import networks
        from stargan_tf.config import Config
        from stargan_tf.inference.translator import Translator
        from stargan_tf.serving.signatures import Signatures

    random = np.random.default_rng(0)
    milliseconds: dict[str, Any] = {}
    for precision in ("float32", "mixed_bfloat16"):
        model = _model(arguments, "afhq_256", None)
        config = Config(domains=DOMAINS, model=model)
        translator = Translator(networks.build(model, precision, with_discriminator=False), config)
        signatures = Signatures(translator, {}, max_pixels=10_000_000, max_rows=64)
        name = "translate_style_float"
        with tempfile.TemporaryDirectory() as directory:
            tf.saved_model.save(signatures, directory, signatures={name: signatures.functions()[name]})
            exported = tf.saved_model.load(directory).signatures[name]
            for rows in _TRANSLATED:
                images = random.uniform(-1, 1, (rows, *model.size, 3)).astype(np.float32)
                styles = random.standard_normal((rows, model.style_dim)).astype(np.float32)
                on_device = {"image": tf.constant(images), "style": tf.constant(styles)}
                ways: dict[str, Callable[[], object]] = {
                    "plain": partial(translator.translate, images, styles),
                    "exported": partial(
                        lambda exported, given: exported(**given)["image"].numpy(), exported, on_device
                    ),
                }
                for way, call in ways.items():
                    call()
                    with _alone(arguments):
                        call()
                        milliseconds[f"{precision}, {rows} images, {way}, ms"] = 1e3 * _median(call, arguments)
    return milliseconds


def _median(call: Callable[[], object], arguments: "Arguments") -> float:
    seconds = []
    for _ in range(2 if arguments.tiny else arguments.repetitions):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
