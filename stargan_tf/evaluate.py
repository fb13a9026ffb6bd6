"""Evaluates a run by the published protocol and otherwise: `python -m stargan_tf.evaluate --run DIR --data DIR`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from stargan_tf.base import cache_directory, command_line
from stargan_tf.base.errors import UserError
from stargan_tf.data.records import open_data_directory
from stargan_tf.evaluation import agreement
from stargan_tf.evaluation.settings import ALL_MODES, MODES, Measurement
from stargan_tf.metrics import loading
from stargan_tf.runs import named_runs, remote_run
from stargan_tf.runs.checkpoint_choice import CheckpointChoice, check_run

PROGRAM = "python -m stargan_tf.evaluate"
DESCRIPTION = (
    "Translates validation images into every other domain. By the published protocol (latent, reference), the outputs "
    "are compared with each other (LPIPS) and with training images (FID, KID, precision, recall, density, coverage); "
    "results go to tables, JSON and TensorBoard. On the generated data set (known_factors), shape, place, size and hue "
    "are measured in the pictures. Photographs are judged by small networks trained on the real ones (photographs)."
)


@dataclass(frozen=True, kw_only=True)
class Arguments(Measurement, CheckpointChoice):
    """The command line.

    Args:
        run: run directory of a trained model.
        data: data directory, as data_prep.images_to_tfrecords writes it, with validation images.
        mode: what is done, separated by commas: latent and reference by the published protocol, known_factors on the
            generated data set, photographs without any download; by default latent and reference, and known_factors
            where the data allow it.
        plain_ground: whether each photograph shows one object before a plain ground, so that its silhouette can be
            measured and judged alone; by default as it is found on the validation images.
        cache: directory for trained classifiers, downloaded weights and features of real images; by default the one
            that the environment variable STARGAN_TF_CACHE names, else ~/.cache/stargan_tf.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("run", "data")  # may lie on a store

    run: str
    data: str
    mode: str | None = None
    plain_ground: bool | None = None
    cache: str | None = None


def run(arguments: Arguments) -> None:
    """Evaluates as the arguments say, and prints tables.

    Raises:
        UserError: a mistake in the arguments, or data that does not go with them.
    """
    command_line.check_ranges(arguments)
    remote_run.check_writable(arguments.run)
    modes = None if arguments.mode is None else tuple(arguments.mode.replace(" ", "").split(","))
    if modes is not None and (len(set(modes)) < len(modes) or not set(modes) <= set(ALL_MODES)):
        raise UserError(f"--mode is {arguments.mode!r}; it must be different ones of {','.join(ALL_MODES)}")
    # All this before TensorFlow is imported, which takes seconds.
    run = named_runs.find(arguments.run, arguments.checkpoint)
    config = check_run(run, arguments.checkpoint)
    data = open_data_directory(arguments.data)
    agreement.check_same(config, data)
    if published := tuple(mode for mode in MODES if modes is None or mode in modes):
        agreement.check_data(data, arguments.protocol(published))
        loading.check_names(arguments.extractor, arguments.distance)
    cache = cache_directory.default() if arguments.cache is None else Path(arguments.cache)
    with command_line.quiet_start():
        from stargan_tf.evaluation.run_evaluation import evaluate_run

    evaluate_run(run, data, modes, arguments.checkpoint, arguments, cache, arguments.plain_ground)
    remote_run.push(run, trains=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
