"""From folders of images to a data directory: `python -m data_prep.images_to_tfrecords --input DIR --output DIR`.

A Beam pipeline: list the images, prepare each (read, decode, crop, resize, encode), group them by shard, write the
shards. Elements are paths; an image lives inside one transform. What follows a bare `--` goes to Beam.
"""

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.images import Encoding, prepare_image
from data_prep.output_directory import check_output, complete_or_absent
from data_prep.shards import Shard, WrittenShard, assign_shard, count_shards, write_shard
from data_prep.sources import SourceImage, Sources, find_images
from stargan_tf import command_line
from stargan_tf.config import check_image_size
from stargan_tf.data.images import UnreadableImage
from stargan_tf.data.records import SUBSETS, SplitSummary, serialize_example, split_name, write_metadata
from stargan_tf.errors import UserError

if TYPE_CHECKING:
    import apache_beam as beam

REJECTED_FILE = "rejected.jsonl"

# Named in full, because plain "DirectRunner" first tries to download the binary of another runner.
_DEFAULT_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

_SHARDS_FILE = "shards.jsonl"  # Only in the temporary directory: what the workers tell the main process.
_REASONS_SHOWN = 3

# Counts prepared images; seen by workers within this process only, other runners show counters of their own.
_progress_bar: Any = None


@dataclass(frozen=True)
class Arguments:
    """What to prepare.

    Args:
        input: directory with train/DOMAIN/ and val/DOMAIN/, or with DOMAIN/ alone, which is then split by a hash.
        output: data directory to write, readable by TensorFlow Datasets.
        image_size: side in pixels, or [height,width]; images are cropped to this aspect ratio and resized.
        encoding: of images that had to be changed, jpeg (quality 95) or png; those that fit are stored as they are.
        val_fraction: share of the images that becomes the validation set if the input has no val/.
        seed: salt of the hashes that choose the validation set and the shards.
        max_rejected: the largest share of unreadable images, 0 to 1, with which the job does not fail.
        overwrite: whether an existing output is replaced, at the end and only if all went well.
    """

    input: str
    output: str
    image_size: int | tuple[int, int]
    encoding: Encoding = "jpeg"
    val_fraction: float = 0.1
    seed: int = 0
    max_rejected: float = 0.1
    overwrite: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments without the program's name; by default those of the process.

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
        program="python -m data_prep.images_to_tfrecords",
        description="Prepares folders of images for training. Flags after a bare -- go to Beam, as -- --runner=NAME.",
        argv=own,
    )


def run(arguments: Arguments, beam_flags: Sequence[str] = ()) -> None:
    """Prepares a data directory and prints a summary.

    Args:
        arguments: what to prepare.
        beam_flags: flags for Beam, `--runner=...` for instance.

    Raises:
        UserError: a value out of range, an input without usable domains, an output that exists, or too many
            unreadable images. An output that existed before is then untouched.
    """
    image_size = _check(arguments)
    check_output(arguments.output, arguments.overwrite)
    sources = find_images(arguments.input, arguments.val_fraction, arguments.seed)
    print(f"{len(sources.images)} images of {', '.join(sources.domains)}", flush=True)

    with complete_or_absent(arguments.output, arguments.overwrite) as directory:
        _run_pipeline(sources, arguments, image_size, directory, beam_flags)
        shards = [WrittenShard(Shard(*shard), *rest) for shard, *rest in _take_lines(directory / _SHARDS_FILE)]
        rejected = sorted(_take_lines(directory / REJECTED_FILE), key=lambda entry: entry["path"])
        _print_summary(sources, shards, rejected)
        _write_lines(directory / REJECTED_FILE, rejected)
        _check_outcome(arguments, sources, shards, rejected)
        write_metadata(directory, sources.domains, image_size, _summarize_splits(sources, shards, directory))
    print(f"data directory: {arguments.output}")


def _check(arguments: Arguments) -> tuple[int, int]:
    """Checks the flags by themselves; gives height and width."""
    size = arguments.image_size
    height, width = (size, size) if isinstance(size, int) else size
    check_image_size((height, width))
    if not 0 <= arguments.val_fraction < 1:
        raise UserError(f"--val_fraction {arguments.val_fraction} is not a share; it should be from 0 to below 1")
    if not 0 <= arguments.max_rejected <= 1:
        raise UserError(f"--max_rejected {arguments.max_rejected} is not a share; it should be from 0 to 1")
    return height, width


def _run_pipeline(
    sources: Sources, arguments: Arguments, image_size: tuple[int, int], directory: Path, beam_flags: Sequence[str]
) -> None:
    """Writes shards, and the lists of shards and of rejected images, into a directory."""
    with command_line.quiet_start():
        import apache_beam as beam
        import tensorflow  # noqa: F401  # Takes seconds: better now than under a progress bar that stands still.
        from apache_beam.options.pipeline_options import PipelineOptions
    from tqdm import tqdm

    names_runner = any(flag.split("=")[0] == "--runner" for flag in beam_flags)
    options = PipelineOptions([*beam_flags, *([] if names_runner else [f"--runner={_DEFAULT_RUNNER}"])])

    global _progress_bar
    with tqdm(total=len(sources.images), desc="preparing", unit=" images", mininterval=0.5) as _progress_bar:
        try:
            with beam.Pipeline(options=options) as pipeline:
                _build(pipeline, sources, arguments, image_size, directory)
        finally:
            _progress_bar = None


def _build(
    pipeline: "beam.Pipeline", sources: Sources, arguments: Arguments, image_size: tuple[int, int], directory: Path
) -> None:
    """Adds all steps to a pipeline."""
    import apache_beam as beam

    splits = Counter(_split(image, sources.domains) for image in sources.images)
    num_shards = {split: count_shards(count) for split, count in splits.items()}
    prepared = (
        pipeline
        | "List images" >> beam.Create(sources.images)
        | "Spread over workers" >> beam.Reshuffle()
        | "Prepare images"
        >> beam.FlatMap(
            _prepare, sources.domains, image_size, arguments.encoding, num_shards, arguments.seed
        ).with_outputs("rejected", main="examples")
    )
    (
        prepared.examples
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.MapTuple(lambda shard, examples: write_shard(Shard(*shard), examples, str(directory)))
        | "Format shards" >> beam.Map(json.dumps)
        | "Write list of shards" >> beam.io.WriteToText(str(directory / _SHARDS_FILE), shard_name_template="")
    )
    (
        prepared.rejected
        | "Format rejected" >> beam.Map(json.dumps)
        | "Write list of rejected" >> beam.io.WriteToText(str(directory / REJECTED_FILE), shard_name_template="")
    )


def _prepare(
    image: SourceImage,
    domains: tuple[str, ...],
    image_size: tuple[int, int],
    encoding: Encoding,
    num_shards: Mapping[str, int],
    seed: int,
) -> Iterator:
    """Gives (shard, (key, serialized Example)) for an image, or a dictionary with the tag "rejected"."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.metrics import Metrics
    from apache_beam.pvalue import TaggedOutput

    try:
        with FileSystems.open(image.path) as file:
            data = file.read()
        stored = prepare_image(data, image_size, encoding)
    except (UnreadableImage, OSError) as error:
        Metrics.counter("images", "rejected").inc()
        reason = {"path": image.key, "domain": domains[image.label], "reason": str(error)}
        yield TaggedOutput("rejected", reason)
    else:
        Metrics.counter("images", "prepared").inc()
        split = _split(image, domains)
        # A plain tuple: as the key of a group it has a coder that gives the same bytes everywhere.
        shard = tuple(assign_shard(image.key, split, num_shards[split], seed))
        yield shard, (image.key, serialize_example(stored, image.label, image.key, image.attributes))
    if _progress_bar is not None:
        _progress_bar.update()


def _split(image: SourceImage, domains: Sequence[str]) -> str:
    return split_name(image.subset, domains[image.label])


def _take_lines(file: Path) -> list[Any]:
    """Reads a file of JSON lines and removes it."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    return lines


def _write_lines(file: Path, entries: Sequence[Any]) -> None:
    file.write_text("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))


def _check_outcome(
    arguments: Arguments, sources: Sources, shards: Sequence[WrittenShard], rejected: Sequence[Mapping[str, str]]
) -> None:
    """Fails if images got lost, if too many were rejected, or if a domain has none left to train on."""
    written = Counter[str]()
    for shard in shards:
        written[shard.shard.split] += shard.num_examples
    if written.total() + len(rejected) != len(sources.images):
        raise RuntimeError(f"{len(sources.images)} images, but {written.total()} written and {len(rejected)} rejected")

    untrainable = [domain for domain in sources.domains if not written[split_name("train", domain)]]
    share = len(rejected) / len(sources.images)
    if not untrainable and share <= arguments.max_rejected:
        return
    # The output stays as it was, so the list goes beside it.
    list_file = Path(f"{arguments.output.rstrip('/')}.{REJECTED_FILE}")
    _write_lines(list_file, rejected)
    if share > arguments.max_rejected:
        raise UserError(
            f"{len(rejected)} of {len(sources.images)} images are unreadable, more than "
            f"--max_rejected {arguments.max_rejected} allows; {list_file} lists them"
        )
    raise UserError(
        f"domain {untrainable[0]!r} has no readable training image left; "
        f"add images or lower --val_fraction ({list_file} lists the unreadable ones)"
    )


def _summarize_splits(sources: Sources, shards: Sequence[WrittenShard], directory: Path) -> dict[str, SplitSummary]:
    """Describes every split that has examples, in the order of subsets and domains."""
    splits = {}
    for subset in SUBSETS:
        for domain in sources.domains:
            split = split_name(subset, domain)
            written = {shard.shard.index: shard for shard in shards if shard.shard.split == split}
            if not written:
                continue
            num_shards = next(iter(written.values())).shard.num_shards
            for index in range(num_shards):
                if index not in written:  # No key fell here, or all that did were rejected; readers expect the file.
                    written[index] = write_shard(Shard(split, index, num_shards), [], str(directory))
            splits[split] = SplitSummary(
                shard_lengths=tuple(written[index].num_examples for index in range(num_shards)),
                num_bytes=sum(shard.num_bytes for shard in written.values()),
            )
    return splits


def _print_summary(sources: Sources, shards: Sequence[WrittenShard], rejected: Sequence[Mapping[str, str]]) -> None:
    """Prints a table of counts, and the first reasons for rejection."""
    written, rejected_by_domain = Counter[str](), Counter(entry["domain"] for entry in rejected)
    for shard in shards:
        written[shard.shard.split] += shard.num_examples
    width = max(len("domain"), *(len(domain) for domain in sources.domains))
    print(f"{'domain':{width}}  {'train':>8}  {'val':>8}  {'rejected':>8}")
    for domain in sources.domains:
        train, val = (written[split_name(subset, domain)] for subset in SUBSETS)
        print(f"{domain:{width}}  {train:8}  {val:8}  {rejected_by_domain[domain]:8}")
    for entry in rejected[:_REASONS_SHOWN]:
        print(f"rejected {entry['path']}: {entry['reason']}")
    if len(rejected) > _REASONS_SHOWN:
        print(f"... and {len(rejected) - _REASONS_SHOWN} more, listed in {REJECTED_FILE}")


if __name__ == "__main__":
    # Workers find a function by the name of its module, which must therefore not be __main__.
    from data_prep.images_to_tfrecords import main as command

    raise SystemExit(command())
