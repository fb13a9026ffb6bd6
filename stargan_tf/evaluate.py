"""Evaluates a run by the published protocol and known factors: `python -m stargan_tf.evaluate --run DIR --data DIR`."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stargan_tf.base import cache_directory, command_line
from stargan_tf.base.errors import UserError
from stargan_tf.runs import run_directory

if TYPE_CHECKING:
    from stargan_tf.data.records import DataDirectory
    from stargan_tf.evaluation.protocol import Evaluator
    from stargan_tf.inference.translator import Translator

PROGRAM = "python -m stargan_tf.evaluate"
DESCRIPTION = (
    "Translates validation images into every other domain. By the published protocol (latent, reference) the outputs "
    "are compared with each other and with training images: LPIPS, FID and its kind; tables, JSON, TensorBoard. On the "
    "generated data set (known_factors), shape, place, size and hue are read off the pictures."
)

MODES = ("latent", "reference", "known_factors")


_COLUMNS = (("latent", "latent-guided"), ("reference", "reference-guided"), ("real", "real images"))


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        run: run directory of a trained model.
        data: data directory, as data_prep.images_to_tfrecords writes it, with validation images.
        mode: what is done, separated by commas: latent and reference by the published protocol, known_factors on the
            generated data set; by default everything that the data allows.
        checkpoint: `latest`, or `best` by the evaluations during training.
        extractor: gives the features of FID and its kind: classifier (trained on the data, offline), inception
            (downloaded once), inception:WEIGHTS_FILE, or FILE.onnx.
        distance: between outputs of one source, LPIPS or like it: classifier, or FILE.onnx:LINEAR_WEIGHTS.npz.
        outputs: styles that the protocol translates each source in.
        sources: validation images taken of each domain; by default all, and 50 for known_factors.
        psi: truncation of the protocol's styles from latent codes; published numbers are without, which is 1.
        styles: latent codes, and references, that known_factors tries for each source and target.
        neighbours: images of a task, real and generated, whose features are kept for KID and nearest neighbours.
        seed: another seed takes other latent codes and references.
        batch_size: images translated at once.
        deterministic: whether operations give the same bits every time on GPUs as well; somewhat slower there.
        cache: directory for trained classifiers, downloaded weights and features of real images; by default the one
            that the environment variable STARGAN_TF_CACHE names, else ~/.cache/stargan_tf.
    """

    run: str
    data: str
    mode: str | None = None
    checkpoint: Literal["latest", "best"] = "latest"
    extractor: str = "classifier"
    distance: str = "classifier"
    outputs: int = 10
    sources: int | None = None
    psi: float = 1.0
    styles: int = 5
    neighbours: int = 5000
    seed: int = 0
    batch_size: int = 16
    deterministic: bool = True
    cache: str | None = None


def run(arguments: Arguments) -> None:
    """Evaluates as the arguments say, and prints tables.

    Raises:
        UserError: a mistake in the arguments, or data that does not go with them.
    """
    asked = None if arguments.mode is None else tuple(arguments.mode.replace(" ", "").split(","))
    _check(arguments, asked)
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.data.records import open_data_directory
        from stargan_tf.inference.translator import Translator
        from stargan_tf.metrics.known_factors import has_known_factors

        if arguments.deterministic:
            tf.config.experimental.enable_op_determinism()
        data = open_data_directory(arguments.data)
        translator = Translator.from_run(Path(arguments.run), arguments.batch_size, arguments.checkpoint)
    if translator.domains != data.domains:
        raise UserError(
            f"the run's domains are {', '.join(translator.domains)} but the data's are {', '.join(data.domains)}"
        )
    if translator.image_size != data.image_size:
        sizes = ["x".join(map(str, size)) for size in (translator.image_size, data.image_size)]
        raise UserError(f"the run's images are {sizes[0]} px but the data's are {sizes[1]} px; prepare it at that size")
    modes = asked or (MODES if has_known_factors(data) else MODES[:2])
    published = tuple(mode for mode in MODES[:2] if mode in modes)
    evaluator = _open_evaluator(arguments, published, data) if published else None  # first, since it finds mistakes
    if "known_factors" in modes:
        _measure_known_factors(arguments, translator, data)
    if evaluator is not None:
        _evaluate_by_protocol(Path(arguments.run), evaluator, translator)


def _check(arguments: Arguments, modes: tuple[str, ...] | None) -> None:
    """Finds mistakes before TensorFlow is imported, which takes seconds."""
    if modes is not None and (len(set(modes)) < len(modes) or not set(modes) <= set(MODES)):
        raise UserError(f"--mode is {arguments.mode!r}; it must be different ones of {','.join(MODES)}")
    for name, least in (
        ("outputs", 2),
        ("sources", 1),
        ("styles", 2),
        ("neighbours", 10),
        ("seed", 0),
        ("batch_size", 1),
    ):
        value = getattr(arguments, name)
        if value is not None:
            command_line.check_at_least(name, value, least)
    command_line.check_psi(arguments.psi)
    run_directory.load_config(Path(arguments.run))


def _measure_known_factors(arguments: Arguments, translator: "Translator", data: "DataDirectory") -> None:
    from stargan_tf.metrics import known_factors
    from stargan_tf.metrics.factor_measures import FACTOR_MEASURES

    sources = 50 if arguments.sources is None else arguments.sources
    result = known_factors.evaluate(translator, data, sources, arguments.styles, arguments.seed)
    written = {"step": translator.step, **result}
    (Path(arguments.run) / run_directory.KNOWN_FACTORS_FILE).write_text(json.dumps(written, indent=2) + "\n")

    print(f"\n{'':34}" + "".join(f"{title:>18}" for _, title in _COLUMNS))
    for measure, (title, form, _) in FACTOR_MEASURES.items():
        cells = [form.format(result[guide][measure]) if measure in result[guide] else "" for guide, _ in _COLUMNS]
        print(f"{title:34}" + "".join(f"{cell:>18}" for cell in cells))


def _open_evaluator(arguments: Arguments, modes: tuple[str, ...], data: "DataDirectory") -> "Evaluator":
    from stargan_tf.data.records import fingerprint
    from stargan_tf.evaluation.protocol import Evaluator
    from stargan_tf.evaluation.settings import ProtocolSettings
    from stargan_tf.metrics.loading import load_distance, load_extractor

    cache = cache_directory.default() if arguments.cache is None else Path(arguments.cache)
    settings = ProtocolSettings(
        modes, arguments.outputs, arguments.sources, arguments.psi, arguments.seed, arguments.neighbours
    )
    distance = load_distance(arguments.distance, data, cache)
    extractor = load_extractor(arguments.extractor, data, cache)
    return Evaluator(data, settings, extractor, distance, fingerprint(data), cache)


def _evaluate_by_protocol(run: Path, evaluator: "Evaluator", translator: "Translator") -> None:
    from stargan_tf.evaluation import results

    result = evaluator.evaluate(translator, results.work_directory(run))
    path = results.write(result, run)
    results.record(result, run)
    results.remove_work(run, result)
    print(f"\n{results.table(result)}\n\nwritten to {path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
