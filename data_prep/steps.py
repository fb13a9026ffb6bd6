"""The steps of the Beam job. What travels between workers are paths, hashes and counts; an image never leaves one step.

    lists of images -> inspect (read, hash, header) -> decide (duplicates, split) -> assign a shard
        -> write a shard (read, decode, fit, encode, one image after the other) -> compare looks

Sources are read twice, so that it is known before any image is decoded what is to be written, and so that no image has
to wait in a shuffle. Every input ends as one example or one line of JSON in a file `outcome-*`.

Runners repeat steps, also while the first try still runs. Each step therefore writes files of its own, named by what it
works on, each of them whole: whoever ends last replaces the same by the same. Each step has one output, since engines
keep memory for every connection between steps.
"""

import hashlib
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import AsDict

from data_prep import progress
from data_prep.images import ImageOptions, RejectedImage, check_header, prepare_image
from data_prep.outcome import LIST_PREFIX, outcome_file, shard_outcome_file, work_folder
from data_prep.shards import Shard, assign_shard, count_shards, open_shard, salted_hash
from data_prep.sources import ExampleFormat, SourceImage, find_examples, read_image
from data_prep.statistics import SplitStatistics
from stargan_tf.base import files
from stargan_tf.data import perceptual_hashes
from stargan_tf.data.records import serialize_example, split_name

_REJECTED, _CONFLICTS = "rejected", "conflicts"  # Among the counts, whose other names are those of splits.
_LINE = b""  # In place of the hash of an image: the line is one of the outcome.


@dataclass(frozen=True)
class JobOptions:
    """What workers need to know.

    Args:
        domains: names of the domains, in the order of their labels.
        directory: where shards are written.
        image: how images are checked and stored.
        example_format: what Examples are like, for a source that has some.
        val_fraction: share of the images that a hash makes the validation set where the source does not say.
        seed: salt of the hashes.
        conflicts: whether images with the same content in two domains or subsets stop the job, or are dropped.
        max_rejected: share of rejected images with which the job does not fail.
        num_images: how many images the source has.
        examples_per_shard: how many a shard should hold at most.
    """

    domains: tuple[str, ...]
    directory: str
    image: ImageOptions
    example_format: ExampleFormat | None
    val_fraction: float
    seed: int
    conflicts: Literal["fail", "drop"]
    max_rejected: float
    num_images: int
    examples_per_shard: int


def find_all_lists(pipeline: beam.Pipeline, work: str) -> beam.PCollection:
    """Adds the steps that give workers the paths of the lists of images, found in the folder `work`."""
    return (
        pipeline
        | "Work" >> beam.Create([work])
        | "Find lists" >> beam.FlatMap(find_lists)
        | "Spread lists" >> beam.Reshuffle()
    )


def build(pipeline: beam.Pipeline, options: JobOptions, work: str) -> None:
    """Adds all steps to a pipeline.

    Args:
        pipeline: an empty one.
        options: what to do.
        work: folder with the lists of images, which takes the lines of the outcome.
    """
    decided = (
        find_all_lists(pipeline, work)
        | "Inspect images" >> beam.FlatMap(inspect, options)
        | "Group by hash" >> beam.GroupByKey()
        | "Decide on duplicates" >> beam.FlatMap(decide, options)
    )
    counts = decided | "Names" >> beam.Map(lambda pair: (pair[0], 1)) | "Count" >> beam.CombinePerKey(sum)
    (
        decided
        | "Assign shards" >> beam.FlatMap(assign, options, AsDict(counts))
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.FlatMap(write, options)
        | "Group by band" >> beam.GroupByKey()
        | "Compare looks" >> beam.Map(compare, options)
    )


def find_lists(work: str) -> Iterator[str]:
    """Gives the paths of the lists of images."""
    for name in files.list_files(work):
        if name.startswith(LIST_PREFIX):
            yield files.join(work, name)


def find_images(path: str, example_format: ExampleFormat | None) -> Iterator[SourceImage]:
    """Gives the images of a list, and those in files of records that it names; writes what is left out of those.

    Args:
        path: the list, in the folder that takes the lines of the outcome.
        example_format: what Examples are like, for a source that has some.

    Yields:
        The images.
    """
    ignored = Counter[str]()
    for line in files.read(path).decode().splitlines():
        image = SourceImage.from_json(line)
        if image.location.packing == "examples":
            assert example_format is not None
            yield from find_examples(image, example_format, ignored)
        else:
            yield image
    lines = [_line("ignored", {"description": kind, "count": count}) for kind, count in sorted(ignored.items())]
    _write_lines(files.folder_of(path), files.name_of(path).rpartition(".")[0], lines)


def inspect(path: str, options: JobOptions) -> Iterator[tuple[int, tuple[bytes, str]]]:
    """Gives group, hash and line of each image of a list that can be read and has a header.

    Of others it gives a line of the outcome, in a group that only spreads them.
    """
    for image in find_images(path, options.example_format):
        progress.did_one(options.directory)
        try:
            data = read_bytes(image, options.image, options.example_format)
            check_header(data, options.image)
        except RejectedImage as error:
            line = _rejected(image, error)
            yield zlib.crc32(line.encode()) & 0xFF, (_LINE, line)
        else:
            content = hashlib.blake2b(data, digest_size=16).digest()
            yield content[0], (content, image.to_json())


def decide(group: tuple[int, Iterable[tuple[bytes, str]]], options: JobOptions) -> Iterator[tuple[str, str]]:
    """Gives split and line of the images that are kept, and writes what becomes of the others.

    Args:
        group: a number, and images whose contents have the same first byte, besides lines of the outcome. A runner
            holds a table of all groups; one for each content would take more memory than the lines in it.
        options: what to do.

    Yields:
        Split and line of a kept image; for each of the others only what it is counted as.
    """
    by_content = defaultdict(list)
    for content, line in group[1]:
        by_content[content].append(line)
    lines = by_content.pop(_LINE, [])
    yield from ((_REJECTED, "") for _ in lines)
    for content, same in by_content.items():
        kept, others = keep_one(sorted(map(SourceImage.from_json, same), key=lambda image: image.key), options)
        lines += others
        if kept is None and options.conflicts == "fail":
            yield from ((_CONFLICTS, "") for _ in others)
        if kept is not None:
            yield split_name(kept.subset or choose_subset(content, options), kept.domain), kept.to_json()
    _write_lines(work_folder(options.directory), f"content-{group[0]:03d}", lines)


def keep_one(images: list[SourceImage], options: JobOptions) -> tuple[SourceImage | None, list[str]]:
    """Chooses one of the images with the same content.

    The job is to fail, or to drop some, where the same image is in two domains, and where it is in training and
    validation. Dropping means all of the former, since nobody knows which domain is right, and the training images of
    the latter, so that they leave the validation set as it is.

    Args:
        images: in the order of their keys.
        options: what to do.

    Returns:
        The image that is kept, if any, and lines on the others.
    """
    first, dropped = images[0], []
    across_domains = len({image.domain for image in images}) > 1
    across_splits = {"train", "val"} <= {image.subset for image in images}
    if across_domains or across_splits:
        field = (lambda image: image.domain) if across_domains else (lambda image: image.subset)
        reason = "across_domains" if across_domains else "across_splits"
        other = next(image for image in images if field(image) != field(first))
        fails = options.conflicts == "fail"
        for image in images:
            if fails or across_domains or image.subset == "train":
                kind = "conflict" if fails else "duplicate"
                dropped.append(_duplicate(image, first if image != first else other, reason, kind))
        if fails or across_domains:
            return None, dropped
        images = [image for image in images if image.subset == "val"]
    kept, *others = images
    return kept, [*dropped, *(_duplicate(image, kept, "same_content") for image in others)]


def choose_subset(content: bytes, options: JobOptions) -> str:
    """Tells training from validation by a hash of an image's content: no other image, and no name, moves it."""
    return "val" if salted_hash("split", options.seed, content.hex()) < options.val_fraction * 2**64 else "train"


def assign(
    kept: tuple[str, str], options: JobOptions, counts: Mapping[str, int]
) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Gives shard and line of an image; nothing if the job will fail anyway."""
    split, line = kept
    if split in (_CONFLICTS, _REJECTED):
        return
    if counts.get(_CONFLICTS) or counts.get(_REJECTED, 0) > options.max_rejected * options.num_images:
        return
    num_shards = count_shards(counts[split], options.examples_per_shard)
    shard = assign_shard(SourceImage.from_json(line).key, split, num_shards, options.seed)
    # A plain tuple: as the key of a group it has a coder that gives the same bytes everywhere.
    yield (shard.split, shard.index, shard.num_shards), line


def write(group: tuple[tuple[str, int, int], Iterable[str]], options: JobOptions) -> Iterator[tuple[int, bytes]]:
    """Prepares and writes the images of a shard, and the lines on it; gives looks in groups."""
    shard = Shard(*group[0])
    images = sorted(map(SourceImage.from_json, group[1]), key=lambda image: image.key)
    is_val, label = shard.split.startswith("val_"), options.domains.index(images[0].domain)
    statistics, looks = SplitStatistics(), []
    keys: list[str] = []
    rejected: list[str] = []
    kept, encoded = (Metrics.counter("images", name) for name in ("kept byte for byte", "encoded"))
    with open_shard(shard, options.directory) as writer:
        for image in images:
            progress.did_one(options.directory)
            try:
                prepared = prepare_image(read_bytes(image, options.image, options.example_format), options.image)
            except RejectedImage as error:
                rejected.append(_rejected(image, error))
                continue
            writer.write(serialize_example(prepared.data, label, image.key, image.attributes))
            statistics.add(prepared)
            looks.append(perceptual_hashes.look_at(prepared.image, is_val, label, shard.index, len(keys)))
            keys.append(image.key)
            (kept if prepared.kept else encoded).inc()
    # Looks tell only which example of a shard they are of; `keys` tells its key.
    line = _line("shard", {"written": writer.written, "statistics": statistics.to_json(), "keys": keys})
    files.write(shard_outcome_file(options.directory, is_val, label, shard.index), _to_bytes([line, *rejected]))
    yield from perceptual_hashes.bands(looks).items()


def compare(group: tuple[int, Iterable[bytes]], options: JobOptions) -> None:
    """Writes a line for each pair across training and validation that looks alike."""
    pairs = perceptual_hashes.near_pairs(*group)
    lines = [
        _line("near_duplicate", {"val": val[1:5], "train": train[1:5], "differing_bits": differing_bits})
        for val, train, differing_bits in pairs
    ]
    _write_lines(work_folder(options.directory), f"band-{group[0]:03d}", lines)


def read_bytes(image: SourceImage, options: ImageOptions, example_format: ExampleFormat | None) -> bytes:
    """Reads the bytes of an image.

    Args:
        image: where they are.
        options: how many are read at most.
        example_format: what Examples are like, for a source that has some.

    Returns:
        The bytes.

    Raises:
        RejectedImage: there are too many, or they cannot be read.
    """
    try:
        return read_image(image.location, options.max_bytes, example_format)
    except files.TooLarge as error:
        raise RejectedImage("too_many_bytes", str(error)) from error
    except OSError as error:
        raise RejectedImage("unreadable_file", error.strerror or str(error)) from error


def _rejected(image: SourceImage, error: RejectedImage) -> str:
    Metrics.counter("images", f"rejected: {error.reason}").inc()
    entry = {"path": image.key, "domain": image.domain, "reason": error.reason, "error": str(error)}
    return _line("rejected", entry)


def _duplicate(image: SourceImage, other: SourceImage, reason: str, kind: str = "duplicate") -> str:
    Metrics.counter("images", f"{kind}: {reason}").inc()
    entry = {"path": image.key, "domain": image.domain, "reason": reason, "same_as": other.key}
    if reason == "across_domains":
        entry["domain_of_same"] = other.domain
    return _line(kind, entry)


def _line(kind: str, entry: Mapping[str, Any]) -> str:
    return json.dumps({"kind": kind, **entry})


def _write_lines(work: str, of: str, lines: list[str]) -> None:
    """Writes lines of the outcome, if there are any; `of` says of what, as no other step does."""
    if lines:
        files.write(files.join(work, outcome_file(of)), _to_bytes(lines))


def _to_bytes(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
