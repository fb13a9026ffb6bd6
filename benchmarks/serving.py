"""How fast an exported model answers, beside the Keras model called directly: latency, throughput, styles, cold start.

    python -m benchmarks.serving [--preset afhq_256] [--repetitions 20]

The networks have random weights, which takes as long as trained ones. The exported model is run as TF Serving runs it:
in a session, fed and fetched by the names of its signature. What a network adds to that is not in the figures.
The Keras model gets float images and a style; it is called as Python calls it, and compiled to one graph as well.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks.machine import processor
from stargan_tf.base import command_line

PROGRAM = "python -m benchmarks.serving"

DOMAINS = ("cat", "dog", "wild")
BATCH_SIZES = (1, 8)

# What is aimed at: time of a signature in times of the Keras model, and of eight styles of a source in times of one.
_SERVED_TARGET = 1.05
_STYLES_TARGET = 5.0


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        preset: whose networks are measured.
        image_size: side of the images in pixels, where the preset leaves it open.
        precision: of the exported networks.
        repetitions: how often each thing is measured, in turns.
    """

    preset: Literal["afhq_256", "known_factors"] = "afhq_256"
    image_size: int = 256
    precision: Literal["float32", "bfloat16"] = "float32"
    repetitions: int = 20


def run(arguments: Arguments) -> None:
    """Measures, and prints tables."""
    print(f"{processor()}, {os.cpu_count()} CPUs; {arguments}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        version, generator = export_random(arguments.preset, arguments.image_size, arguments.precision, Path(directory))
        size = sum(file.stat().st_size for file in version.rglob("*") if file.is_file())
        print(f"\nexported: {size / 1e6:.0f} MB")
        _compare(version, generator, arguments.repetitions)
        print("\ncold start, each in a process of its own, seconds")
        print(f"{'':24}{'load':>10}{'warm-up':>10}{'first request':>16}{'second':>10}")
        for warm_up in (False, True):
            seconds = _cold_start(version, warm_up)
            cells = f"{seconds['load']:>10.2f}{seconds['warm_up']:>10.2f}"
            cells += f"{seconds['requests'][0]:>16.3f}{seconds['requests'][1]:>10.3f}"
            print(f"{'with' if warm_up else 'without'} warm-up{'':{9 if warm_up else 6}}{cells}")


def export_random(preset: str, side: int, precision: Literal["float32", "bfloat16"], directory: Path):
    """Exports networks with random weights, of a run in a directory.

    Args:
        preset: whose networks.
        side: of the images in pixels.
        precision: of the exported networks.
        directory: which gets `run` and `models/stargan/1`.

    Returns:
        The directory of the version, and the generator.
    """
    with command_line.quiet_start():
        import keras

        from stargan_tf import export, networks
        from stargan_tf.config import PRESETS, resolve
        from stargan_tf.runs import run_directory
        from stargan_tf.runs.checkpoints import load_ema, save_ema

    config = resolve(replace(PRESETS[preset], domains=None), DOMAINS, (side, side))
    keras.utils.set_random_seed(0)
    run_directory.open_for_training(directory / "run", config)
    save_ema(networks.build(config.model, with_discriminator=False), 0, config, directory / "run")
    model = directory / "models" / "stargan"
    export.run(
        export.Arguments(run=str(directory / "run"), output=str(model), precision=precision, batch_sizes=[*BATCH_SIZES])
    )
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    config = replace(config, training=replace(config.training, precision=policy))
    return model / "1", load_ema(config, directory / "run")[0].generator


def _compare(version: Path, generator, repetitions: int) -> None:
    """Measures signatures and the generator called directly, in turns, so that a busy moment meets all of them."""
    import numpy as np
    import tensorflow as tf

    from stargan_tf.base import progress
    from stargan_tf.data.images import to_image, to_png
    from stargan_tf.serving.served_model import texts

    random = np.random.default_rng(0)
    card = json.loads((version / "model_card.json").read_text())
    height, width = card["image_size"]
    pixels = random.integers(0, 256, (max(BATCH_SIZES), height, width, 3)).astype(np.float32)
    images = pixels / np.float32(127.5) - 1
    styles = random.standard_normal((len(images), card["style_dim"]), np.float32)
    encoded = texts([to_png(to_image(image)) for image in images])

    graph = tf.Graph()
    with graph.as_default():
        session = tf.compat.v1.Session(graph=graph)
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(version)).signature_def

    def served(name: str, **inputs) -> Callable[[], object]:
        definition = signatures[name]
        fetches = {key: info.name for key, info in definition.outputs.items()}
        feeds = {definition.inputs[key].name: value for key, value in inputs.items()}
        return lambda: session.run(fetches, feeds)

    def directly(generator: Callable, rows: int) -> Callable[[], object]:
        given = tf.constant(images[:rows]), tf.constant(styles[:rows])
        return lambda: generator(*given).numpy()

    compiled = tf.function(lambda images, styles: generator(images, styles), autograph=False, reduce_retracing=True)

    png = texts(["png"] * len(images))
    domains = texts([DOMAINS[row % len(DOMAINS)] for row in range(len(images))])
    cases: dict[str, tuple[int, Callable[[], object]]] = {}
    for rows in BATCH_SIZES:
        part = slice(rows)
        style, format, domain = styles[part], png[part], domains[part]
        cases[f"Keras model, {rows}"] = (rows, directly(generator, rows))
        cases[f"Keras model compiled, {rows}"] = (rows, directly(compiled, rows))
        cases[f"translate_style_float, {rows}"] = (
            rows,
            served("translate_style_float", image=images[part], style=style),
        )
        cases[f"translate_style, {rows}"] = (
            rows,
            served("translate_style", image_bytes=encoded[part], style=style, format=format),
        )
        latent = {"image_bytes": encoded[part], "domain": domain, "seed": np.arange(rows)}
        cases[f"serving_default, {rows}"] = (rows, served("serving_default", **latent))
    source = {"image_bytes": np.repeat(encoded[:1], len(images)), "style": styles, "format": png}
    cases[f"1 source, {len(images)} styles"] = (len(images), served("translate_style", **source))

    seconds = {name: [] for name in cases}
    for _, call in cases.values():
        call()  # compiles
    for _ in progress.each(range(repetitions), "measuring", "turns"):
        for name, (_, call) in cases.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    session.close()

    print(f"\n{'':28}{'median ms':>12}{'p99 ms':>10}{'images/s':>10}{'times Keras':>14}{'times compiled':>16}")
    targets = []
    for name, (rows, _) in cases.items():
        median, p99 = np.quantile(seconds[name], [0.5, 0.99])
        line = f"{name:28}{1000 * median:>12.1f}{1000 * p99:>10.1f}{rows / median:>10.2f}"
        if "source" not in name:
            # Ratios within a turn, since the machine's speed drifts.
            baselines = (f"Keras model, {rows}", f"Keras model compiled, {rows}")
            ratios = [np.median(np.divide(seconds[name], seconds[baseline])) for baseline in baselines]
            line += f"{ratios[0]:>14.3f}{ratios[1]:>16.3f}"
            if not name.startswith("Keras"):
                targets.append((f"{name}: {ratios[0]:.3f} times the Keras model", ratios[0], _SERVED_TARGET))
        print(line)
    ratio = np.median(np.divide(seconds[f"1 source, {len(images)} styles"], seconds["translate_style, 1"]))
    targets.append((f"one source in {len(images)} styles: {ratio:.2f} times as long as in one", ratio, _STYLES_TARGET))
    print()
    for sentence, measured, target in targets:
        print(f"{sentence}; at most {target:g} {'holds' if measured <= target else 'DOES NOT HOLD'}")


_COLD_START = """
import json, sys, time
sys.modules["stargan_tf"] = None  # as on a server
import numpy as np, tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

version, warm_up = sys.argv[1], sys.argv[2] == "True"
path = version + "/assets.extra/tf_serving_warmup_requests"
records = list(tf.compat.v1.io.tf_record_iterator(path))
requests = [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
start = time.perf_counter()
session = tf.compat.v1.Session(graph=tf.Graph())
with session.graph.as_default():
    signatures = tf.compat.v1.saved_model.load(session, ["serve"], version).signature_def
seconds = {"load": time.perf_counter() - start}

def call(request):
    definition = signatures[request.model_spec.signature_name]
    feeds = {definition.inputs[name].name: tf.make_ndarray(value) for name, value in request.inputs.items()}
    session.run([info.name for info in definition.outputs.values()], feeds)

start = time.perf_counter()
for request in requests if warm_up else []:
    call(request)
seconds["warm_up"] = time.perf_counter() - start
seconds["requests"] = []
for _ in range(2):
    start = time.perf_counter()
    call(next(request for request in requests if request.model_spec.signature_name == "serving_default"))
    seconds["requests"].append(time.perf_counter() - start)
print(json.dumps(seconds))
"""


def _cold_start(version: Path, warm_up: bool) -> dict:
    command = [sys.executable, "-c", _COLD_START, str(version), str(warm_up)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, __doc__.split("\n")[0], argv)


if __name__ == "__main__":
    sys.exit(main())
