"""Does the translation help anybody? A classifier with few real photographs of a domain, with and without translations.

    python -m benchmarks.rare_domain --run runs/leaves --data data/leaves --output work/rare_domain \
        --domain potato_early_blight --source tomato_healthy

The judge of `stargan_tf.evaluate --mode photographs` is trained several times: with few real photographs of one domain
and all of the others; and with the same photographs and translations of another domain besides. Each domain has the
same share of a batch in both. What counts is how many real validation images are recognized; those that training knows
are left out. What is finished is kept, and the same command goes on from there.
"""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stargan_tf.base import command_line, writing
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory of a translator.
        data: data directory.
        output: directory of results.
        domain: name of the domain of which there are few photographs.
        source: name of the domain that is translated into it.
        real: real photographs of the few.
        translations: translated images that are added, in styles from latent codes.
        steps: updates of the classifier.
        on_grey: whether it sees the object on uniform grey, which needs a plain ground; the ground alone may give the
            domain away.
        seeds: a pair of trainings for each, with other photographs too.
    """

    run: str
    data: str
    output: str
    domain: str
    source: str
    real: PositiveInt = 50
    translations: PositiveInt = 500
    steps: PositiveInt = 600
    on_grey: bool = True
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2, 3, 4])


def run(arguments: Arguments) -> None:
    """Trains, measures and prints the table."""
    with command_line.quiet_start():
        from stargan_tf.data.records import open_data_directory
        from stargan_tf.evaluation import photograph_set
        from stargan_tf.inference.translator import Translator

        data = open_data_directory(arguments.data)
        translator = Translator.from_run(Path(arguments.run), batch_size=64)
    for name in (arguments.domain, arguments.source):
        if name not in data.domains:
            raise UserError(f"there is no domain {name!r}; the data has {', '.join(data.domains)}")
    if arguments.domain == arguments.source:
        raise UserError(f"--domain and --source are both {arguments.domain!r}; they must be different domains")
    photographs = photograph_set.read(data)
    few = len(photographs.train[arguments.domain])
    if few < arguments.real:
        raise UserError(f"--real is {arguments.real}, and {arguments.domain} has {few} training images")
    results: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for seed in arguments.seeds:
        kept = Path(arguments.output) / f"{translator.fingerprint}_{_settings(arguments)}_{seed}.json"
        if not kept.is_file():
            writing.write_json(kept, _measure(arguments, photographs, translator, seed))
        for arm, accuracies in json.loads(kept.read_text()).items():
            results[arm].append(accuracies)
        print(f"seed {seed}: " + ", ".join(f"{arm} {_mean(results[arm][-1]):.1%}" for arm in results), flush=True)
    _print_table(arguments, results)


def _settings(arguments: Arguments) -> str:
    view = "grey" if arguments.on_grey else "whole"
    counts = f"{arguments.real}_{arguments.translations}_{arguments.steps}"
    return f"{arguments.domain}_{arguments.source}_{counts}_{view}"


def _measure(arguments: Arguments, photographs: Any, translator: Any, seed: int) -> dict[str, dict[str, float]]:
    """Returns the accuracies of both arms, by domain."""
    from stargan_tf.metrics import judge, silhouettes

    def view(images: np.ndarray) -> np.ndarray:
        return silhouettes.on_grey(images, silhouettes.find(images)[0]) if arguments.on_grey else images

    rng = np.random.default_rng(seed)
    few = rng.choice(len(photographs.train[arguments.domain]), arguments.real, replace=False)
    without = dict(photographs.train) | {arguments.domain: photographs.train[arguments.domain][few]}
    translated = _translations(arguments, translator, rng)
    arms = {
        "without": without,
        "with": without | {arguments.domain: np.concatenate([without[arguments.domain], translated])},
    }
    settings = judge.Settings(steps=arguments.steps, seed=seed)
    val = {domain: view(images) for domain, images in photographs.val.items()}
    return {
        arm: judge.train(
            {domain: view(images) for domain, images in of.items()}, settings, f"classifier {arm} translations"
        ).accuracies(val)
        for arm, of in arms.items()
    }


def _translations(arguments: Arguments, translator: Any, rng: np.random.Generator) -> np.ndarray:
    from stargan_tf.data.records import open_data_directory, split_name
    from stargan_tf.data.stored_images import StoredImages
    from stargan_tf.evaluation import photograph_set

    stored = StoredImages(open_data_directory(arguments.data), split_name("train", arguments.source))
    count = arguments.translations
    chosen = rng.choice(len(stored), count, replace=len(stored) < count)
    latents = rng.standard_normal((count, translator.latent_dim), np.float32)
    styles = translator.styles_from_latents(latents, arguments.domain)
    return photograph_set.reduced(translator.translate(stored.read(chosen.tolist()), styles))


def _mean(accuracies: dict[str, float]) -> float:
    return float(np.mean(list(accuracies.values())))


def _print_table(arguments: Arguments, results: dict[str, list[dict[str, float]]]) -> None:
    print(
        f"\n{arguments.real} real photographs of {arguments.domain}, all of the others; with {arguments.translations} "
        f"translations of {arguments.source}, or without. Real validation images recognized, mean and deviation of "
        f"{len(arguments.seeds)} seeds:\n"
    )
    print(f"{'':32}" + "".join(f"{arm:>20}" for arm in results))
    for domain in [*results["with"][0], "all, each domain alike"]:
        cells = []
        for of_arm in results.values():
            values = [one.get(domain, _mean(one)) for one in of_arm]
            cells.append(f"{np.mean(values):.1%} +- {np.std(values, ddof=min(1, len(values) - 1)):.1%}")
        print(f"{domain:32}" + "".join(f"{cell:>20}" for cell in cells))


def main() -> int:
    """Runs the benchmark."""
    return command_line.main(Arguments, run, "python -m benchmarks.rare_domain", __doc__)


if __name__ == "__main__":
    sys.exit(main())
