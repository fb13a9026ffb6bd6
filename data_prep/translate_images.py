"""From images to translations: `python -m data_prep.translate_images --model DIR --input DIR --output DIR`.

List the images, let a Beam pipeline translate them by an exported model (`translation/`), and count. The same command
goes on after any interruption. What follows a bare `--` goes to Beam; docs/data_on_clusters.md has a command for each
runner.
"""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from data_prep.allocator import share_one_arena
from data_prep.beam_flags import complete_flags, split_flags
from data_prep.engines import check_engine, run_pipeline
from data_prep.image_lists import list_images
from data_prep.images import MOST_PIXELS, ImageOptions
from data_prep.outcome import read_outcome
from data_prep.shards import count_shards
from data_prep.sources import SourceOptions, open_all_images
from data_prep.translation import models
from data_prep.translation.job_directory import InputHash, begun_job, check_job, read_codes, write_codes, write_job
from data_prep.translation.models import ExportedModel
from data_prep.translation.results import SHARDS_FOLDER, Form, Format, JobOptions
from data_prep.translation.styles import Style, StyleOptions, make_codes, plan_styles
from data_prep.translation.summary import check_counts, describe, print_summary, summarize
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import RefusedError, UserError
from stargan_tf.base.process import repeating
from stargan_tf.base.progress import Progress
from stargan_tf.base.ranges import JpegQuality, PositiveInt, Share
from stargan_tf.inference import provenance

PROGRAM = "python -m data_prep.translate_images"

# Translations of a shard: what a worker holds in memory, and what is lost of its work when it is killed.
_TRANSLATIONS_PER_SHARD = 256
_ROWS = 16
# Below, another process takes longer to load a model than to help.
_TRANSLATIONS_PER_PROCESS = 500
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class _Places:
    """What nobody can do without, first in the help.

    Args:
        model: exported model, by `stargan_tf.export`: a SavedModel, or ONNX files where TensorFlow is too large for
            workers. A directory of a version, or of a model, of which the newest version is taken.
        input: images to translate: a folder of images, also in folders; a .zip or .tar file of them; a table (.csv,
            .tsv, .jsonl, .parquet); a folder or a pattern of Parquet files; a TensorFlow Datasets directory or
            tfds:NAME. It may lie on any file system that fsspec knows.
        output: directory to write; or the one of an interrupted job, which then goes on.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("model", "input", "output")  # may lie on a store

    model: str | None = None
    input: str | None = None
    output: str | None = None


@dataclass(frozen=True, kw_only=True)
class Arguments(StyleOptions, _Places):
    """What to translate.

    Args:
        form: files, a picture for each translation; or tfrecord, a data directory with a split for each domain, which
            stores and training read faster than a million files.
        format: of the pictures: png, jpeg or webp; of records png or jpeg.
        quality: of JPEG and WebP, 1 to 95.
        provenance: whether pictures say in their metadata that they are synthetic, and what made them.
        max_rejected: the largest share of images that cannot be translated, 0 to 1, with which the job does not fail.
        max_pixels: the most pixels of an image; larger ones are rejected before they are decoded.
        max_bytes: the most bytes of an image's file; larger ones are rejected.
        translations_per_shard: about how many translations are written before they count as done; a worker holds as
            many in memory.
        batch_size: images that go through the network at once; by default 16, or what the model takes at most.
        processes: worker processes on this machine, each of one thread; by default one for each 500 translations, up
            to one for each processor.
        images: folder or archive that relative paths in a table begin from; by default the table's folder.
        path_column: column of a table with paths, or with images; by default the one with images, path or file_name.
        image_feature: feature with the image, of a TensorFlow Datasets input.
        label_feature: feature with the label, of a TensorFlow Datasets input.
        follow_links: whether links to folders are followed where the input is a folder.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("images",)  # may lie on a store

    form: Form = "files"
    format: Format = "png"
    quality: JpegQuality = 95
    provenance: bool = True
    max_rejected: Share = 0.1
    max_pixels: PositiveInt = ImageOptions.max_pixels
    max_bytes: PositiveInt = ImageOptions.max_bytes
    translations_per_shard: PositiveInt = _TRANSLATIONS_PER_SHARD
    batch_size: PositiveInt | None = None
    processes: PositiveInt | None = None
    images: str | None = None
    path_column: str | None = None
    image_feature: str = "image"
    label_feature: str = "label"
    follow_links: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    own, beam_flags = split_flags(sys.argv[1:] if argv is None else argv)
    # Beam greets with warnings about parts that are not installed and not needed here.
    logging.basicConfig(level=logging.WARNING if beam_flags else logging.ERROR)
    return command_line.main(
        Arguments,
        lambda arguments: run(arguments, beam_flags),
        program=PROGRAM,
        description="Translates any number of images. Flags after a bare -- go to Beam, as -- --runner=NAME.",
        argv=own,
    )


def run(arguments: Arguments, beam_flags: Sequence[str] = ()) -> None:
    """Translates images, or goes on with it, and prints a summary.

    Args:
        arguments: what to translate.
        beam_flags: flags for Beam, `--runner=...` for instance.

    Raises:
        UserError: a mistake in the arguments, an input without images, or an output that holds something else.
        RefusedError: too many rejected images. What was written stays.
        TryAgainError: another process works in the output.
    """
    model, styles = check(arguments)
    assert arguments.input is not None and arguments.output is not None  # checked
    settings = _settings(arguments, model, styles)
    check_job(arguments.output, settings)
    check_engine(beam_flags)
    with begun_job(arguments.output) as work:
        names = ("images", "path_column", "image_feature", "label_feature", "follow_links")
        options = SourceOptions(**{name: getattr(arguments, name) for name in names})
        source = open_all_images(arguments.input, options, work)
        if hasattr(source, "check_paths"):
            source.check_paths()
        input_hash = InputHash(work)
        num_listed = list_images(source, work, input_hash.add)
        if not num_listed:
            raise UserError(f"there are no images in --input {arguments.input}")
        settings["input"] = input_hash.result()
        check_job(arguments.output, settings)
        fingerprint = write_job(arguments.output, settings)
        codes = _codes(arguments.output, fingerprint, model, styles)
        told = [provenance.style(style.domain, style.origin, code) for style, code in zip(styles, codes, strict=True)]
        job = JobOptions(
            directory=arguments.output,
            fingerprint=fingerprint,
            num_shards=count_shards(num_listed * len(styles), arguments.translations_per_shard),
            image=_image_options(arguments, model),
            example_format=source.example_format,
            domains=model.domains,
            styles=tuple((style.domain, style.name) for style in styles),
            metadata=tuple(
                provenance.packet_of_served([style], model.card) if arguments.provenance else b"" for style in told
            ),
            form=arguments.form,
            format=arguments.format,
            quality=arguments.quality,
        )
        processes = arguments.processes or max(
            1, min(os.cpu_count() or 1, num_listed * len(styles) // _TRANSLATIONS_PER_PROCESS)
        )
        _run_pipeline(job, model, codes, settings["batch_size"], work, beam_flags, processes)
        ignored = source.ignored + (left_out := read_outcome(arguments.output, ()).ignored)
        summary = summarize(job)
        print_summary(summary, job)
        if failure := check_counts(summary, job, num_listed - left_out.total(), arguments.max_rejected):
            raise RefusedError(failure)
        describe(summary, job, settings, ignored)
    print(f"{summary.translated.total()} translations: {arguments.output}")


def check(arguments: Arguments) -> tuple[ExportedModel, list[Style]]:
    """Checks the arguments by themselves, before the input is looked at.

    Args:
        arguments: what to translate.

    Returns:
        The model and the styles.

    Raises:
        UserError: a value that is missing, out of range or contradicts another.
    """
    command_line.check_ranges(arguments)
    needed = {"model": "an exported model", "input": "the images to translate", "output": "the directory to write"}
    for name, meaning in needed.items():
        if not getattr(arguments, name):
            raise UserError(f"--{name} is missing; name {meaning}")
    assert arguments.model is not None and arguments.output is not None  # checked
    if files.is_remote(arguments.model):
        raise UserError(f"--model {arguments.model} is on a store; copy it to where all workers see it as a local path")
    if files.is_remote(arguments.output) and set(arguments.output) & set("*?[]{}"):
        raise UserError(f"--output {arguments.output} has one of * ? [ ] {{ }}, which stores take for patterns")
    if arguments.max_pixels > MOST_PIXELS:
        raise UserError(f"--max_pixels is {arguments.max_pixels}; it must be at most {MOST_PIXELS}")
    if arguments.form == "tfrecord" and arguments.format == "webp":
        raise UserError("--format is webp, which readers of records do not decode; it must be png or jpeg")
    model = models.find_model(arguments.model)
    if arguments.batch_size and model.max_rows and arguments.batch_size > model.max_rows:
        raise UserError(f"--batch_size is {arguments.batch_size}; the model takes at most {model.max_rows} at once")
    return model, plan_styles(arguments, model)


def _settings(arguments: Arguments, model: ExportedModel, styles: Sequence[Style]) -> dict[str, Any]:
    """What decides, beside the input, what is written; as JSON has it."""
    rows = arguments.batch_size or min(_ROWS, model.max_rows or _ROWS)
    names = ("form", "format", "quality", "provenance", "max_pixels", "max_bytes", "translations_per_shard")
    return {
        "model": model.fingerprint,
        "styles": [{"domain": style.domain, "name": style.name, **style.origin} for style in styles],
        **{name: getattr(arguments, name) for name in names},
        "batch_size": rows,
    }


def _image_options(arguments: Arguments, model: ExportedModel) -> ImageOptions:
    known = asdict(model.images)
    return ImageOptions(
        encoding="raw",  # pixels for the network, not bytes to store
        image_size=model.image_size,
        max_pixels=arguments.max_pixels,
        max_bytes=arguments.max_bytes,
        **{**known, "background": tuple(known["background"])},
    )


def _codes(output: str, fingerprint: str, model: ExportedModel, styles: list[Style]) -> np.ndarray:
    """The style codes that the job was begun with, or which the model makes now."""
    codes = read_codes(output, fingerprint)
    if codes is None:
        with command_line.quiet_start():
            functions = models.load(str(model.version), model.runtime, model.domains)
            codes = make_codes(styles, model, functions)
        write_codes(output, fingerprint, styles, codes)
    return codes


def _run_pipeline(
    job: JobOptions,
    model: ExportedModel,
    codes: np.ndarray,
    rows: int,
    work: str,
    beam_flags: Sequence[str],
    processes: int,
) -> None:
    """Translates what is not done yet."""
    with command_line.quiet_start():
        from data_prep.translation import steps
        from data_prep.translation.inference import ShardTranslator

    def count() -> int:
        lists = files.join(job.directory, SHARDS_FOLDER)
        return sum(name.endswith(".jsonl") for name in files.list_files(lists)) if files.is_folder(lists) else 0

    before = count()
    if before:
        print(f"{before} of {job.num_shards} shards are done already", flush=True)
    flags, here = complete_flags(beam_flags, processes)
    translator = ShardTranslator(str(model.version.resolve()), model.runtime, model.domains, codes, rows)
    with Progress(job.num_shards, "translating", "shards", done=before) as bar:
        with (
            repeating.meanwhile(lambda: bar.update(count() - bar.done), _POLL_SECONDS),
            run_pipeline(flags, here) as pipeline,
        ):
            steps.build(pipeline, job, translator, work)
        bar.update(job.num_shards - bar.done)


def command(argv: Sequence[str] | None = None) -> int:
    """Runs `main` as a program of its own, whose memory is set up for it."""
    share_one_arena()
    return main(argv)


if __name__ == "__main__":
    # Workers find a function by the name of its module, which must therefore not be __main__.
    from data_prep import translate_images

    raise SystemExit(translate_images.command())
