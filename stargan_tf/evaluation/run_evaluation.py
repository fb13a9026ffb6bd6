"""The evaluation of a run, in all modes, printed and written into its directory."""

import io
from pathlib import Path
from typing import Any

import tensorflow as tf

from stargan_tf.base import command_line, stand_ins
from stargan_tf.base.writing import write_bytes, write_json
from stargan_tf.data.records import DataDirectory, fingerprint
from stargan_tf.evaluation import photograph_table, results
from stargan_tf.evaluation.agreement import check_data
from stargan_tf.evaluation.photographs import PhotographEvaluation
from stargan_tf.evaluation.protocol import Evaluator
from stargan_tf.evaluation.settings import MODES, Measurement
from stargan_tf.inference.translator import Translator
from stargan_tf.metrics import known_factors, loading
from stargan_tf.metrics.factor_measures import FACTOR_MEASURES
from stargan_tf.runs import run_directory

# Sources of each domain for known factors, where no number is given: more change little.
_SOURCES = 50
_COLUMNS = (("latent", "latent-guided"), ("reference", "reference-guided"), ("real", "real images"))


def evaluate_run(
    run: Path,
    data: DataDirectory,
    modes: tuple[str, ...] | None,
    checkpoint: str,
    measurement: Measurement,
    cache: Path,
    plain_ground: bool | None = None,
) -> None:
    """Evaluates a run, prints tables, and writes the results into the run directory.

    Args:
        run: the run directory.
        data: data directory with validation images, which goes with the run (`agreement.check_same`).
        modes: any of latent, reference, known_factors and photographs; by default the first two, and known_factors
            where the data allow it.
        checkpoint: `latest` or `best`.
        measurement: how it is measured.
        cache: directory for trained classifiers, downloaded weights and features of real images.
        plain_ground: as for `PhotographEvaluation`.

    Raises:
        UserError: data that does not go with the run or the modes.
    """
    with command_line.quiet_start():
        if measurement.deterministic:
            tf.config.experimental.enable_op_determinism()
        translator = Translator.from_run(run, measurement.batch_size, checkpoint)
    if modes is None:
        modes = (*MODES, "known_factors") if known_factors.has_known_factors(data) else MODES
    elif "known_factors" in modes:
        known_factors.check_data(data)
    published = tuple(mode for mode in MODES if mode in modes)
    evaluator = open_evaluator(measurement, published, data, cache) if published else None  # first, to find mistakes
    if "known_factors" in modes:
        result = measure_known_factors(translator, data, measurement)
        write_json(run / run_directory.KNOWN_FACTORS_FILE, {"step": translator.step, **result})
        _print_known_factors(result)
    if "photographs" in modes:
        _measure_photographs(run, translator, data, measurement, cache, plain_ground)
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


def _measure_photographs(
    run: Path,
    translator: Translator,
    data: DataDirectory,
    measurement: Measurement,
    cache: Path,
    plain_ground: bool | None,
) -> None:
    evaluation = PhotographEvaluation(
        data,
        fingerprint(data),
        cache,
        measurement.sources,
        measurement.styles,
        measurement.seed,
        plain_ground,
    )
    result, failures = evaluation.evaluate(translator)
    picture = io.BytesIO()
    failures.picture().save(picture, "PNG")
    write_bytes(run / run_directory.FAILURES_FILE, picture.getvalue())
    write_json(run / run_directory.PHOTOGRAPHS_FILE, result)
    print(f"\n{photograph_table.table(result)}\n\nthe worst: {stand_ins.told(run / run_directory.FAILURES_FILE)}")


def _evaluate_by_protocol(run: Path, evaluator: Evaluator, translator: Translator) -> None:
    result = evaluator.evaluate(translator, results.work_directory(run))
    path = results.write(result, run)
    results.record(result, run)
    results.remove_work(run, result)
    print(f"\n{results.table(result)}\n\nwritten to {stand_ins.told(path)}")
