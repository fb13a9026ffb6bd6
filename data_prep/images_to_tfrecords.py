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
from typing import Literal

from PIL import ImageColor

from data_prep.allocator import share_one_arena
from data_prep.dataset_info import METADATA_FILES, describe
from data_prep.images import MOST_PIXELS, ImageOptions, StorageSettings
from data_prep.outcome import LIST_PREFIX, Outcome, check_outcome, print_summary, read_outcome, work_folder, write_lists
from data_prep.output_directory import check_output, complete_or_absent
from data_prep.processes import Work, count_processes
from data_prep.shards import EXAMPLES_PER_SHARD
from data_prep.sources import Source, SourceOptions, open_source
from data_prep.statistics import find_narrow_values
from data_prep.verify import verify
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt, Share, ShareBelowOne
from stargan_tf.config import check_image_size
from stargan_tf.data.manifest import MANIFEST_FILE

PROGRAM = "python -m data_prep.images_to_tfrecords"

# Named in full, because plain "DirectRunner" first tries to download the binary of another runner.
_DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_LINES_PER_LIST = 500  # A list is what one worker takes at a time.


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
    argv = list(sys.argv[1:] if argv is None else argv)
    own, beam_flags = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
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
        UserError: a value out of range, an input without usable domains, an output that exists, or too many rejected
            images. An output that existed before is then untouched.
    """
    if arguments.output is None:
        raise UserError("--output is missing; name the data directory")
    if arguments.input is None and arguments.verify:
        verify(arguments.output)
        return
    options = check(arguments)
    assert arguments.input is not None  # checked
    check_output(arguments.output, arguments.overwrite)
    last = (MANIFEST_FILE, *METADATA_FILES)
    with complete_or_absent(arguments.output, arguments.overwrite, last) as directory:
        work = work_folder(directory)
        source = open_source(arguments.input, arguments, work)
        if hasattr(source, "check_paths"):
            source.check_paths()
        num_images, seconds = _write_lists_of_images(source, work)
        processes = arguments.processes or count_processes(seconds)
        outcome = _run_pipeline(arguments, options, source, num_images, directory, work, beam_flags, processes)
        print_summary(outcome, source.domains)
        for warning in find_narrow_values(outcome.statistics, source.domains, options.value_range):
            print(f"warning: {warning}")
        beside = f"{arguments.output.rstrip('/')}."
        if failure := check_outcome(outcome, source.domains, num_images, arguments.max_rejected, beside):
            write_lists(outcome, beside, separator="")  # The output stays as it was, so the lists go beside it.
            raise UserError(failure)
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


def _write_lists_of_images(source: Source, work: str) -> tuple[int, float]:
    """Writes the images of a source as lines of JSON into files for workers to read.

    Args:
        source: where they come from.
        work: the folder for the files.

    Returns:
        Their number, and about how many seconds one process will take for them.
    """
    num_images, estimate = 0, Work()
    lines: list[str] = []
    num_lists = 0

    def flush() -> None:
        nonlocal num_lists
        if lines:
            name = f"{LIST_PREFIX}{num_lists:06d}.jsonl"
            files.write(files.join(work, name), "".join(f"{line}\n" for line in lines).encode())
            num_lists += 1
            lines.clear()

    for num_images, image in enumerate(source.images(), start=1):  # noqa: B007  # the last is the number
        lines.append(image.to_json())
        estimate.add(image)
        if len(lines) == _LINES_PER_LIST:
            flush()
    flush()
    kind = "images"
    if hasattr(source, "num_images"):
        num_images, kind = source.num_images, "examples, among them images"  # workers will see which
    print(f"{num_images} {kind} of {', '.join(source.domains)}", flush=True)
    for note in source.notes:
        print(note, flush=True)
    for kind, count in sorted(source.ignored.items()):
        print(f"ignored: {count} {kind}", flush=True)
    return num_images, estimate.seconds(num_images)


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
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        from data_prep import progress, steps

    flags, here = _complete_flags(beam_flags, processes)
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
    with (
        progress.show(num_images, directory, arguments.examples_per_shard, here),
        beam.Pipeline(options=PipelineOptions(flags)) as pipeline,
    ):
        steps.build(pipeline, job, work)
    return read_outcome(directory, source.domains)


def _complete_flags(beam_flags: Sequence[str], processes: int) -> tuple[list[str], bool]:
    """Beam's flags with what was not said, and whether the workers will be threads of this process."""
    flags = [
        f"--runner={_DEFAULT_RUNNER}" if flag in ("--runner=DirectRunner", "--runner=direct") else flag
        for flag in beam_flags
    ]
    if any(flag.split("=")[0] == "--runner" for flag in flags) and f"--runner={_DEFAULT_RUNNER}" not in flags:
        return flags, False
    if not any(flag.startswith("--runner") for flag in flags):
        flags.append(f"--runner={_DEFAULT_RUNNER}")
    if any(flag.startswith("--direct_") for flag in flags):
        return flags, not any("multi_processing" in flag for flag in flags)
    if processes > 1:
        flags += [f"--direct_num_workers={processes}", "--direct_running_mode=multi_processing"]
    return flags, processes == 1


def command(argv: Sequence[str] | None = None) -> int:
    """Runs `main` as a program of its own, whose memory is set up for it."""
    share_one_arena()
    return main(argv)


if __name__ == "__main__":
    # Workers find a function by the name of its module, which must therefore not be __main__.
    from data_prep import images_to_tfrecords

    raise SystemExit(images_to_tfrecords.command())
