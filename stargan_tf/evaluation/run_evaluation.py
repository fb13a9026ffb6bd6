"""The evaluation of a run: by the published protocol and by known factors, printed and written into its directory."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_json
from stargan_tf.config import check_same_images
from stargan_tf.data.records import DataDirectory, fingerprint, open_data_directory
from stargan_tf.evaluation import results
from stargan_tf.evaluation.protocol import Evaluator, check_data
from stargan_tf.evaluation.settings import ALL_MODES, MODES, Measurement
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import known_factors, loading
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES
from stargan_tf.runs import run_directory

# Sources of each domain for known factors, where no number is given: more change little.
_SOURCES = 50
_COLUMNS = (("latent", "latent-guided"), ("reference", "reference-guided"), ("real", "real images"))


def evaluate_run(
    run: Path, data_path: str, modes: tuple[str, ...] | None, checkpoint: str, measurement: Measurement, cache: Path
) -> None:
    """Evaluates a run, prints tables, and writes the results into the run directory.

    Args:
        run: the run directory.
        data_path: data directory with validation images.
        modes: any of latent, reference and known_factors; by default everything that the data allows.
        checkpoint: `latest` or `best`.
        measurement: how it is measured.
        cache: directory for trained classifiers, downloaded weights and features of real images.

    Raises:
        UserError: data that does not go with the run or the modes.
    """
    with command_line.quiet_start():
        if measurement.deterministic:
            tf.config.experimental.enable_op_determinism()
        data = open_data_directory(data_path)
        translator = Translator.from_run(run, measurement.batch_size, checkpoint)
    if translator.domains != data.domains:
        raise UserError(
            f"the run's domains are {', '.join(translator.domains)} but the data's are {', '.join(data.domains)}"
        )
    if translator.image_size != data.image_size:
        sizes = ["x".join(map(str, size)) for size in (translator.image_size, data.image_size)]
        raise UserError(f"the run's images are {sizes[0]} px but the data's are {sizes[1]} px; prepare it at that size")
    check_same_images(translator.image_config, data.image_config, "the run's")
    if modes is None:
        modes = ALL_MODES if known_factors.has_known_factors(data) else MODES
    elif "known_factors" in modes:
        known_factors.check_data(data)
    published = tuple(mode for mode in MODES if mode in modes)
    evaluator = open_evaluator(measurement, published, data, cache) if published else None  # first, to find mistakes
    if "known_factors" in modes:
        result = measure_known_factors(translator, data, measurement)
        write_json(run / run_directory.KNOWN_FACTORS_FILE, {"step": translator.step, **result})
        _print_known_factors(result)
    if evaluator is not None:
        _evaluate_by_protocol(run, evaluator, translator)


def open_evaluator(measurement: Measurement, modes: tuple[str, ...], data: DataDirectory, cache: Path) -> Evaluator:
    """Loads the networks that measure, and makes an evaluator by the published protocol.

    Raises:
        UserError: the networks cannot be loaded, or the data has too few images.
    """
    settings = measurement.protocol(modes)
    check_data(data, settings)  # first: training a classifier takes a minute
    extractor, distance = loading.load(measurement.extractor, measurement.distance, data, cache)
    return Evaluator(data, settings, extractor, distance, fingerprint(data), cache)


def measure_known_factors(translator: Translator, data: DataDirectory, measurement: Measurement) -> dict[str, Any]:
    """Returns what `known_factors.evaluate` measures."""
    sources = measurement.sources or _SOURCES
    return known_factors.evaluate(translator, data, sources, measurement.styles, measurement.seed)


def _print_known_factors(result: dict[str, Any]) -> None:
    print(f"\n{'':34}" + "".join(f"{title:>18}" for _, title in _COLUMNS))
    for measure, (title, form, _) in FACTOR_MEASURES.items():
        cells = [form.format(result[guide][measure]) if measure in result[guide] else "" for guide, _ in _COLUMNS]
        print(f"{title:34}" + "".join(f"{cell:>18}" for cell in cells))


def _evaluate_by_protocol(run: Path, evaluator: Evaluator, translator: Translator) -> None:
    result = evaluator.evaluate(translator, results.work_directory(run))
    path = results.write(result, run)
    results.record(result, run)
    results.remove_work(run, result)
    print(f"\n{results.table(result)}\n\nwritten to {path}")
