"""Shows that training learns: a preset on the generated data set, several seeds, measured on known factors.

    python -m benchmarks.learning --output work/learning
    python -m benchmarks.learning --output work/learning --ablations --seeds [0]

Every network is trained by the command that users run, in a process of its own. What is finished is kept in the output
directory, and the same command goes on from there.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.machine import processor
from stargan_tf.base import command_line

RESULT_FILE = "learning.json"

# Measure, how it is called, how a value is shown, whether it should be high or low, and the target.
_ROWS = (
    ("latent", "domain", "latent-guided: shape is of the target domain", "{:.1%}", ">=", 0.95),
    ("reference", "domain", "reference-guided: shape is of the target domain", "{:.1%}", ">=", 0.95),
    ("latent", "worst_domain", "the same of the worst domain, latent-guided", "{:.1%}", ">=", None),
    ("reference", "worst_domain", "the same of the worst domain, reference-guided", "{:.1%}", ">=", None),
    ("latent", "place", "shape moved, median, of the side, latent-guided", "{:.1%}", "<=", 0.03),
    ("reference", "place", "shape moved, median, of the side, reference-guided", "{:.1%}", "<=", 0.03),
    ("reference", "size", "radius changed, median, reference-guided", "{:.1%}", "<=", None),
    ("reference", "hue", "hue off the reference, median", "{:.1f} deg", "<=", 20.0),
    ("reference", "hue_of_source", "hue between two sources in one style, mean", "{:.1f} deg", "<=", None),
    ("reference", "texture", "texture is the reference's (33 % by chance)", "{:.1%}", ">=", None),
    ("reference", "outline", "outline is the reference's (33 % by chance)", "{:.1%}", ">=", None),
    ("latent", "diversity", "hue between two styles, of the real spread", "{:.0%}", ">=", 0.5),
    ("latent", "worst_diversity", "the same of the worst domain", "{:.0%}", ">=", 0.5),
    ("latent", "hue_coverage", "hues that occur which are drawn as well, worst domain", "{:.1%}", ">=", None),
    ("reference", "cycle", "source against its cycle, mean, of 255", "{:.1f}", "<=", None),
    ("training", "minutes", "minutes of training", "{:.1f}", "<=", 45.0),
)

# As the paper takes parts away (table 1), and the moving average besides.
_ABLATIONS = {
    "without R1": ["--losses.lambda_reg", "0"],
    "without diversity": ["--losses.lambda_ds", "0"],
    "without style reconstruction": ["--losses.lambda_sty", "0"],
    "without cycle": ["--losses.lambda_cyc", "0"],
    "without EMA": ["--optimizers.ema_decay", "0"],
}


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        output: directory of images, data, runs and results.
        preset: the networks and their training.
        seeds: a training for each.
        ablations: train without each part of the objective in turn, too.
        sources: validation images of each domain that are translated.
        styles: latent codes, and references, for each source and target.
    """

    output: str
    preset: str = "known_factors"
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    ablations: bool = False
    sources: int = 50
    styles: int = 5


def run(arguments: Arguments) -> None:
    """Trains, measures and prints the tables."""
    output = Path(arguments.output)
    data = _prepare(output)
    variants = {"all parts": []} | (_ABLATIONS if arguments.ablations else {})
    results = {
        variant: [_result(arguments, output, data, variant, flags, seed) for seed in arguments.seeds]
        for variant, flags in variants.items()
    }
    print(f"\npreset {arguments.preset}, seeds {arguments.seeds}, on {os.cpu_count()} cores of {processor()}\n")
    _print_table(results["all parts"])
    if arguments.ablations:
        _print_ablations(results)


def _prepare(output: Path) -> Path:
    """Makes the data of `make known-factors`."""
    images, data = output / "images", output / "data"
    if not images.exists():
        _command("data_prep.synthetic", "--output", images)
    if not data.exists():
        flags = ("--image_size", 32, "--encoding", "png")
        _command("data_prep.images_to_tfrecords", "--input", images, "--output", data, *flags)
    return data


def _result(arguments: Arguments, output: Path, data: Path, variant: str, flags: list[str], seed: int) -> dict:
    run = output / f"{variant.replace(' ', '_')}_{seed}"
    kept = run / RESULT_FILE
    if kept.is_file():
        return json.loads(kept.read_text())
    print(f"{variant}, seed {seed}", flush=True)
    # Of a training that was interrupted, the time is that of both parts.
    clock = output / f"{run.name}.seconds"
    begun, before = time.monotonic(), float(clock.read_text()) if clock.is_file() else 0.0
    try:
        setting = ("--preset", arguments.preset, "--training.seed", seed, *flags)
        _command("stargan_tf.train", "--data", data, "--run", run, *setting)
    finally:
        seconds = before + time.monotonic() - begun
        clock.write_text(str(seconds))

    with command_line.quiet_start():
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.inference.translator import Translator
        from stargan_tf.metrics import known_factors

        translator = Translator.from_run(run, batch_size=64)
    result = known_factors.evaluate(translator, open_data_directory(data), arguments.sources, arguments.styles, seed=0)
    real_spread = result["real"]["hue_spread"]
    result["latent"]["diversity"] = result["latent"]["hue_spread"] / real_spread
    result["latent"]["worst_diversity"] = result["latent"]["worst_hue_spread"] / real_spread
    result["training"] = {"minutes": seconds / 60}
    kept.write_text(json.dumps(result, indent=2) + "\n")
    return result


def _command(module: str, *flags: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, flags)], check=True)


def _print_table(results: list[dict]) -> None:
    print(f"{'':56}{'mean':>11}{'worst':>11}{'target':>12}{'real images':>14}")
    for guide, measure, title, form, direction, target in _ROWS:
        values = [result[guide][measure] for result in results]
        worst = max(values) if direction == "<=" else min(values)
        aim = "" if target is None else f"{direction} {form.format(target)}"
        missed = target is not None and (worst > target if direction == "<=" else worst < target)
        real = results[0]["real"].get(measure) if guide == "reference" else None
        shown = "" if real is None else form.format(real)
        row = f"{title:56}{form.format(np.mean(values)):>11}{form.format(worst):>11}{aim:>12}{shown:>14}"
        print(row + (" missed" if missed else ""))


def _print_ablations(results: dict[str, list[dict]]) -> None:
    columns = (
        ("latent", "domain", "domain", "{:.1%}"),
        ("reference", "domain", "domain (ref.)", "{:.1%}"),
        ("reference", "place", "moved", "{:.1%}"),
        ("reference", "hue", "hue off", "{:.0f} deg"),
        ("latent", "diversity", "diversity", "{:.0%}"),
        ("latent", "hue_coverage", "coverage", "{:.0%}"),
        ("reference", "cycle", "cycle", "{:.1f}"),
    )
    print(f"\n{'mean over the seeds':32}" + "".join(f"{title:>14}" for _, _, title, _ in columns))
    for variant, of_seeds in results.items():
        cells = [form.format(np.mean([one[guide][name] for one in of_seeds])) for guide, name, _, form in columns]
        print(f"{variant:32}" + "".join(f"{cell:>14}" for cell in cells))


def main() -> int:
    """Runs the benchmark."""
    return command_line.main(Arguments, run, "python -m benchmarks.learning", __doc__)


if __name__ == "__main__":
    sys.exit(main())
