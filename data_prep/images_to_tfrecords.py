"""From a pile of images to a data directory: `python -m data_prep.images_to_tfrecords --input DIR --output DIR`.

List the images, let a Beam pipeline prepare them (`steps.py`), check that none got lost, describe the result, and give
the directory its name. What follows a bare `--` goes to Beam; docs/data_on_clusters.md has a command for each runner.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

from PIL import ImageColor

from data_prep.allocator import share_one_arena
from data_prep.beam_flags import complete_flags, split_flags
from data_prep.dataset_info import METADATA_FILES, describe
from data_prep.engines import check_engine, run_pipeline
from data_prep.image_lists import list_images
from data_prep.images import MOST_PIXELS, ImageOptions, StorageSettings
from data_prep.outcome import Outcome, check_outcome, print_summary, read_outcome, work_folder, write_lists
from data_prep.output_directory import check_output, complete_or_absent
from data_prep.processes import Work, count_processes
from data_prep.shards import EXAMPLES_PER_SHARD
from data_prep.sources import Source, SourceOptions, open_source
from data_prep.statistics import find_narrow_values
from data_prep.verify import verify
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import RefusedError, UserError
from stargan_tf.base.ranges import PositiveInt, Share, ShareBelowOne
from stargan_tf.config import check_image_size
from stargan_tf.data.manifest import MANIFEST_FILE

PROGRAM = "python -m data_prep.images_to_tfrecords"


@dataclass(frozen=True)
class _Places:
    """What nobody can do without, first in the help.

    Args:
        input: folder of a folder for each domain, also with folders of splits; a .zip or .tar file of such folders; a
            table (.csv, .tsv, .jsonl, .parquet), or a folder or a pattern of Parquet files; a folder with metadata.csv;
            tar files of WebDataset; CelebA's list_attr_celeba; tfds:NAME or a TensorFlow Datasets directory. Each may
            lie on any file system that fsspec knows, as hf://datasets/USER/NAME.
        output: data directory to write, readable by TensorFlow Datasets.
        image_size: side in pixels, or [height,width].
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("input", "output")  # may lie on a store

    input: str | None = None
    output: str | None = None
    image_size: int | tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Arguments(SourceOptions, StorageSettings, _Places):
    """What to prepare.

    Args:
        background: colour behind transparent pixels and around padded images, by name or as #rrggbb.
        val_fraction: share of the images that becomes the validation set if the input has none.
        seed: salt of the hashes that choose the validation set and the shards.
        max_rejected: the largest share of rejected images, 0 to 1, with which the job does not fail.
        conflicts: fail if the same image is in two domains, or in training and validation; or drop all images of the
            first kind, and the training images of the second.
        examples_per_shard: about how many images go into one file.
        processes: worker processes on this machine; by default one for each five seconds of work, as
            the sizes of a few images promise, up to one for each processor.
        overwrite: whether an existing output is replaced, at the end and only if all went well.
        verify: read the output again and compare it with its manifest; without an input, only that.
    """

    background: str = "white"
    val_fraction: ShareBelowOne = 0.1
    seed: int = 0
    max_rejected: Share = 0.1
    conflicts: Literal["fail", "drop"] = "fail"
    examples_per_shard: PositiveInt = EXAMPLES_PER_SHARD
    processes: PositiveInt | None = None
    overwrite: bool = False
    verify: bool = False


def main(argv: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Runs the command.

    Args:
        argv: the arguments without the program's name; by default those of the process.
        program: the name shown in help and errors.

    Returns:
        The exit code.
    """
    own, beam_flags = split_flags(sys.argv[1:] if argv is None else argv)
    # Beam and TensorFlow greet with warnings about parts that are not installed and not needed here.
    logging.basicConfig(level=logging.WARNING if beam_flags else logging.ERROR)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return command_line.main(
        Arguments,
        lambda arguments: run(arguments, beam_flags),
        program=program,
        description="Prepares images for training. Flags after a bare -- go to Beam, as -- --runner=NAME.",
        argv=_gather(own, "--domain"),
    )


def run(arguments: Arguments, beam_flags: Sequence[str] = ()) -> None:
    """Prepares a data directory and prints a summary.

    Args:
        arguments: what to prepare.
        beam_flags: flags for Beam, `--runner=...` for instance.

    Raises:
        UserError: a value out of range, an input without usable domains, or an output that exists.
        RefusedError: too many rejected images, or one image in two domains or splits. An output that existed before is
            untouched.
    """
    if arguments.output is None:
        raise UserError("--output is missing; name the data directory")
    if arguments.input is None and arguments.verify:
        verify(arguments.output)
        return
    options = check(arguments)
    assert arguments.input is not None  # checked
    check_output(arguments.output, arguments.overwrite)
    check_engine(beam_flags)
    last = (MANIFEST_FILE, *METADATA_FILES)
    with complete_or_absent(arguments.output, arguments.overwrite, last) as directory:
        work = work_folder(directory)
        source = open_source(arguments.input, arguments, work)
        if hasattr(source, "check_paths"):
            source.check_paths()
        estimate = Work()
        num_images = list_images(source, work, estimate.add)
        processes = arguments.processes or count_processes(estimate.seconds(num_images))
        outcome = _run_pipeline(arguments, options, source, num_images, directory, work, beam_flags, processes)
        print_summary(outcome, source.domains)
        for warning in find_narrow_values(outcome.statistics, source.domains, options.value_range):
            print(f"warning: {warning}")
        beside = f"{arguments.output.rstrip('/')}."
        if failure := check_outcome(outcome, source.domains, num_images, arguments.max_rejected, beside):
            write_lists(outcome, beside, separator="")  # The output stays as it was, so the lists go beside it.
            raise RefusedError(failure)
        names = ("val_fraction", "seed", "conflicts", "examples_per_shard")
        settings = {name: getattr(arguments, name) for name in names}
        describe(outcome, source, options, settings, directory)
        if arguments.verify:
            verify(directory)
    print(f"data directory: {arguments.output}")


def check(arguments: Arguments) -> ImageOptions:
    """Checks the arguments by themselves, before anything is looked at.

    Args:
        arguments: what to prepare, with an output.

    Returns:
        Those about images.

    Raises:
        UserError: a value that is missing or out of range.
    """
    command_line.check_ranges(arguments)
    if arguments.input is None:
        raise UserError("--input is missing; name the images to prepare")
    if arguments.image_size is None:
        raise UserError("--image_size is missing; name the side in pixels, 256 for instance")
    assert arguments.output is not None  # the caller has looked
    if files.is_remote(arguments.output) and set(arguments.output) & set("*?[]{}"):
        raise UserError(f"--output {arguments.output} has one of * ? [ ] {{ }}, which stores take for patterns")
    size = arguments.image_size
    height, width = (size, size) if isinstance(size, int) else size
    check_image_size((height, width))
    if arguments.max_pixels > MOST_PIXELS:
        raise UserError(f"--max_pixels is {arguments.max_pixels}; it must be at most {MOST_PIXELS}")
    if isinstance(arguments.value_range, tuple) and arguments.value_range[0] >= arguments.value_range[1]:
        given = "[{},{}]".format(*arguments.value_range)
        raise UserError(f"--value_range is {given}; the first value, of black, must be less than the second")
    try:
        background = ImageColor.getrgb(arguments.background)[:3]
    except ValueError:
        raise UserError(f"--background {arguments.background!r} is no colour; write white or #ffffff") from None
    return ImageOptions(
        image_size=(height, width),
        background=background,
        **{field.name: getattr(arguments, field.name) for field in fields(StorageSettings)},
    )


def _gather(argv: Sequence[str], flag: str) -> list[str]:
    """Makes one flag with a list of a flag that was given several times."""
    values, rest, arguments = [], [], iter(argv)
    for argument in arguments:
        if argument == flag:
            values.append(next(arguments, ""))
        elif argument.startswith(f"{flag}="):
            values.append(argument.removeprefix(f"{flag}="))
        else:
            rest.append(argument)
    return [*rest, f"{flag}={json.dumps(values)}"] if values else rest


def _run_pipeline(
    arguments: Arguments,
    options: ImageOptions,
    source: Source,
    num_images: int,
    directory: str,
    work: str,
    beam_flags: Sequence[str],
    processes: int,
) -> Outcome:
    """Writes shards into a directory; tells what came of all images."""
    with command_line.quiet_start():
        from data_prep import progress, steps

    flags, here = complete_flags(beam_flags, processes)
    job = steps.JobOptions(
        domains=source.domains,
        directory=directory,
        image=options,
        example_format=source.example_format,
        num_images=num_images,
        **{
            name: getattr(arguments, name)
            for name in ("val_fraction", "seed", "conflicts", "max_rejected", "examples_per_shard")
        },
    )
    with progress.show(num_images, directory), run_pipeline(flags, here) as pipeline:
        steps.build(pipeline, job, work)
    return read_outcome(directory, source.domains)


def command(argv: Sequence[str] | None = None) -> int:
    """Runs `main` as a program of its own, whose memory is set up for it."""
    share_one_arena()
    return main(argv)


if __name__ == "__main__":
    # Workers find a function by the name of its module, which must therefore not be __main__.
    from data_prep import images_to_tfrecords

    raise SystemExit(images_to_tfrecords.command())
