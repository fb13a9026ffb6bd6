"""Evaluator: `python -m pipeline.components.evaluator --model DIR --examples DIR --evaluation DIR --blessing DIR`.

Measures a model by the published protocol, and by known factors where the data has them; then, with the same data,
networks and seed, the model that was blessed last. `pipeline.decision` compares them and blesses the model or not.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from data_prep.output_directory import check_output
from pipeline import artifacts, decision
from pipeline.decision import Limits
from pipeline.model_fingerprint import fingerprint
from pipeline.section_flags import hints_name, with_new_names
from stargan_tf.base import cache_directory, command_line
from stargan_tf.base.errors import ExitCode, UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.base.writing import whole_directory
from stargan_tf.evaluation.settings import Measurement
from stargan_tf.runs import run_directory

if TYPE_CHECKING:
    from stargan_tf.data.records import DataDirectory
    from stargan_tf.evaluation.protocol import Evaluator
    from stargan_tf.inference.translator import Translator

PROGRAM = "python -m pipeline.components.evaluator"
DESCRIPTION = (
    "Finds out whether a model is good enough, and no worse than the one blessed last. Exit code 0: it is blessed, 3: "
    "it is not (reasons.json and the output say why), 2: a mistake in the flags."
)


@dataclass(frozen=True)
class GridMeasurement(Measurement):
    """How a model is measured, and shown.

    Args:
        grid_sources: images in the grids of translations, which show `styles` styles of each domain.
    """

    grid_sources: PositiveInt = 6


@dataclass(frozen=True)
class Settings:
    """What a model must reach to be blessed.

    Args:
        limits: absolute limits, and limits relative to the model that is served.
        measurement: how models are measured.
    """

    limits: Limits = field(default_factory=Limits)
    measurement: GridMeasurement = field(default_factory=GridMeasurement)


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        model: Model artifact, whose run/ is measured.
        examples: data directory with validation images.
        evaluation: directory to write, new or empty: evaluation.json, and grids of translations.
        blessing: directory to write, new or empty: BLESSED or NOT_BLESSED, and reasons.json.
        blessed_model: Model artifact that was blessed last; without one there are only absolute limits.
        evaluator: what the model must reach and how it is measured, as a run's configuration has it.
        cache: directory for trained classifiers, features of real images and tasks that are done, so that a stage that
            was killed goes on; by default the one that the environment variable STARGAN_TF_CACHE names, else
            ~/.cache/stargan_tf.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("examples",)  # may lie on a store

    model: str
    examples: str
    evaluation: str
    blessing: str
    blessed_model: str | None = None
    evaluator: Settings = field(default_factory=Settings)
    cache: str | None = None


def run(arguments: Arguments) -> int:
    """Measures, decides, and writes evaluation and blessing.

    Returns:
        The exit code: 0 if the model is blessed, 3 if not.

    Raises:
        UserError: a mistake in the arguments, data or models, or an output that is not empty.
    """
    with hints_name("evaluator", Settings):
        return _run(arguments)


def _run(arguments: Arguments) -> int:
    limits, measurement = arguments.evaluator.limits, arguments.evaluator.measurement
    limits.check()
    command_line.check_ranges(measurement, "measurement.")
    for output in (arguments.evaluation, arguments.blessing):
        check_output(output)
    for flag, model in (("model", arguments.model), ("blessed_model", arguments.blessed_model)):
        if model is not None and not run_directory.is_run(Path(model) / artifacts.RUN):
            raise UserError(f"--{flag} {model!r} has no run directory {artifacts.RUN}; the Trainer makes it")
    cache = cache_directory.default() if arguments.cache is None else Path(arguments.cache)
    with command_line.quiet_start():
        import tensorflow as tf

        from stargan_tf.data.records import open_data_directory
        from stargan_tf.evaluation.run_evaluation import open_evaluator

        if measurement.deterministic:
            tf.config.experimental.enable_op_determinism()
        data = open_data_directory(arguments.examples)
    evaluator = open_evaluator(measurement, tuple(limits.modes), data, cache)
    return _evaluate(arguments, data, evaluator, cache)


def _evaluate(arguments: Arguments, data: "DataDirectory", evaluator: "Evaluator", cache: Path) -> int:
    """Measures, decides and writes; returns the exit code."""
    from pipeline.sample_grids import SampleGrids
    from stargan_tf.inference import fonts

    limits, measurement = arguments.evaluator.limits, arguments.evaluator.measurement
    measure = _measure_with(measurement, data, evaluator, cache)
    grids = SampleGrids(data, measurement.grid_sources, measurement.styles, measurement.seed)
    translator = _load(arguments.model, "model", measurement.batch_size)
    candidate, pictures = measure(translator), {"candidate": grids.draw(translator)}
    blessed, not_compared = None, None
    if arguments.blessed_model is None:
        not_compared = "there is no blessed model yet"
    elif reason := _cannot_be_measured(Path(arguments.blessed_model) / artifacts.RUN, data):
        not_compared = reason
    else:
        translator = _load(arguments.blessed_model, "blessed_model", measurement.batch_size)
        blessed, pictures["blessed"] = measure(translator), grids.draw(translator)

    untranslated = evaluator.untranslated() if limits.floor else None
    reasons = decision.decide(candidate, blessed, limits, untranslated)
    written = {
        "candidate": candidate,
        "blessed": blessed,
        "not_compared": not_compared,
        "untranslated": untranslated,
        "limits": asdict(limits),
        "reasons": reasons,
    }
    with whole_directory(arguments.evaluation) as directory:
        artifacts.write_json(directory / artifacts.EVALUATION_FILE, written)
        fonts.titles(data.domains, directory)  # a list beside the pictures, if they number domains
        for model, of_model in pictures.items():
            for mode, picture in of_model.items():
                picture.save(directory / artifacts.grid_file(model, mode))
    facts = {
        "fingerprint": fingerprint(Path(arguments.model) / artifacts.SERVING_MODEL),
        "step": candidate["step"],
        "compared_with_step": blessed and blessed["step"],
        "not_compared": not_compared,
    }
    artifacts.write_blessing(arguments.blessing, reasons, facts)
    print(f"compared with the blessed model: {'yes' if blessed else not_compared}")
    for reason in reasons or ["blessed"]:
        print(f"not blessed: {reason}" if reasons else reason)
    return ExitCode.REFUSED if reasons else 0


def _measure_with(
    measurement: Measurement, data: "DataDirectory", evaluator: "Evaluator", cache: Path
) -> Callable[["Translator"], dict[str, Any]]:
    """Returns a function of a translator that measures it."""
    from stargan_tf.evaluation.run_evaluation import measure_known_factors
    from stargan_tf.metrics.known_factors import has_known_factors

    def measure(translator: "Translator") -> dict[str, Any]:
        # Cached, because the model that is blessed today is measured again in tomorrow's run.
        result = evaluator.evaluate(translator, cache / "evaluations")
        factors = measure_known_factors(translator, data, measurement) if has_known_factors(data) else None
        return result | {decision.KNOWN_FACTORS: factors}

    return measure


def _load(model: str, flag: str, batch_size: int) -> "Translator":
    """Loads the networks that a Model serves, from the best or the latest checkpoint of its run."""
    from stargan_tf.inference.translator import Translator
    from stargan_tf.runs import best_checkpoint
    from stargan_tf.serving.model_card import CARD_FILE

    path = Path(model) / artifacts.RUN
    served = artifacts.read_json(Path(model) / artifacts.SERVING_MODEL, CARD_FILE, flag).get("step")
    best = best_checkpoint.read(path)
    checkpoint = "best" if best is not None and best.step == served else "latest"
    translator = Translator.from_run(path, batch_size, checkpoint)
    if served != translator.step:
        raise UserError(
            f"--{flag} {model!r} serves step {served}, and the {checkpoint} checkpoint of its run is of step "
            f"{translator.step}; export that one"
        )
    return translator


def _cannot_be_measured(run: Path, data: "DataDirectory") -> str | None:
    """Returns why a blessed model cannot be measured on the data: their domains or image sizes may have changed."""
    config = run_directory.load_config(run)
    assert config.domains is not None  # known since the run was started
    if config.domains != data.domains:
        names = (", ".join(domains) for domains in (config.domains, data.domains))
        return "the blessed model has the domains {}, the data {}".format(*names)
    if config.model.size != data.image_size:
        sizes = (" x ".join(map(str, size)) for size in (config.model.size, data.image_size))
        return "the blessed model is for images of {} pixels, the data has {}".format(*sizes)
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = with_new_names(argv, {"limits": "evaluator.limits", "measurement": "evaluator.measurement"})
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
