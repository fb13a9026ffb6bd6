"""The steps of the Beam job. What travels between workers are paths, hashes and counts; an image never leaves one step.

    lists of images -> inspect (read, hash, header) -> decide (duplicates, split) -> assign a shard
        -> write a shard (read, decode, fit, encode, one image after the other) -> compare looks

Sources are read twice, so that it is known before any image is decoded what is to be written, and so that no image has
to wait in a shuffle. Every input ends as one example or one line of JSON; all lines go to the files `outcome-*`.
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
from apache_beam.pvalue import AsDict, TaggedOutput

from data_prep import perceptual_hashes, progress
from data_prep.images import ImageOptions, RejectedImage, check_header, prepare_image
from data_prep.outcome import LIST_PREFIX, OUTCOME_FILES, keys_file, outcome_file
from data_prep.shards import Shard, assign_shard, count_shards, open_shard, salted_hash
from data_prep.sources import ExampleFormat, SourceImage, find_examples, read_image
from data_prep.statistics import SplitStatistics
from stargan_tf.base import files
from stargan_tf.data.records import serialize_example, split_name

_REJECTED, _CONFLICTS = "rejected", "conflicts"  # Among the counts, whose other names are those of splits.


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


def build(pipeline: beam.Pipeline, options: JobOptions, work: str) -> None:
    """Adds all steps to a pipeline.

    Args:
        pipeline: an empty one.
        options: what to do.
        work: folder with the lists of images, which takes the lines of the outcome.
    """
    found = (
        pipeline
        | "Work" >> beam.Create([work])
        | "Find lists" >> beam.FlatMap(find_lists)
        | "Spread lists" >> beam.Reshuffle()
        | "Read lists" >> beam.FlatMap(read_lines)
        | "Find images" >> beam.FlatMap(find_images, options.example_format).with_outputs("ignored", main="images")
    )
    inspected = found.images | "Inspect images" >> beam.FlatMap(inspect, options).with_outputs(
        "rejected", main="images"
    )
    decided = (
        inspected.images
        | "Group by hash" >> beam.GroupByKey()
        | "Group by content" >> beam.FlatMap(group_by_content)
        | "Decide on duplicates" >> beam.FlatMap(decide, options).with_outputs("dropped", "conflicts", main="kept")
    )
    counts = (
        (
            decided.kept | "Name of split" >> beam.Map(lambda kept: (kept[0], 1)),
            decided.conflicts | "Name of conflicts" >> beam.Map(lambda _: (_CONFLICTS, 1)),
            inspected.rejected | "Name of rejected" >> beam.Map(lambda _: (_REJECTED, 1)),
        )
        | "Names" >> beam.Flatten()
        | "Count" >> beam.CombinePerKey(sum)
    )
    written = (
        decided.kept
        | "Assign shards" >> beam.FlatMap(assign, options, AsDict(counts))
        | "Group by shard" >> beam.GroupByKey()
        | "Write shards" >> beam.FlatMap(write, options).with_outputs("rejected", "looks", main="shards")
    )
    near = written.looks | "Group by band" >> beam.GroupByKey() | "Compare looks" >> beam.FlatMap(compare)
    (
        (found.ignored, inspected.rejected, decided.dropped, decided.conflicts, written.shards, written.rejected, near)
        | "All lines" >> beam.Flatten()
        # Not by Beam's sinks, whose last step fails when a runner repeats it: it looks for files that were renamed.
        | "Deal lines" >> beam.WithKeys(lambda line: zlib.crc32(line.encode()) % OUTCOME_FILES)
        | "Group lines" >> beam.GroupByKey()
        | "Write lines" >> beam.Map(write_lines, work)
    )


def find_lists(work: str) -> Iterator[str]:
    """Gives the paths of the lists of images."""
    for name in files.list_files(work):
        if name.startswith(LIST_PREFIX):
            yield files.join(work, name)


def read_lines(path: str) -> list[str]:
    """Gives the lines of a list."""
    return files.read(path).decode().splitlines()


def write_lines(group: tuple[int, Iterable[str]], work: str) -> None:
    """Writes lines of the outcome."""
    with files.create(files.join(work, outcome_file(group[0]))) as file:
        file.writelines(f"{line}\n".encode() for line in group[1])


def find_images(line: str, example_format: ExampleFormat | None) -> Iterator[Any]:
    """Passes on a line of a list, or gives a line for each image in the file of records that it names.

    What is left out of such a file becomes lines tagged "ignored".
    """
    image = SourceImage.from_json(line)
    if image.location.packing == "examples":
        assert example_format is not None
        ignored = Counter[str]()
        for found in find_examples(image, example_format, ignored):
            yield found.to_json()
        for description, count in ignored.items():
            yield TaggedOutput("ignored", _line("ignored", {"description": description, "count": count}))
    else:
        yield line


def inspect(line: str, options: JobOptions) -> Iterator[Any]:
    """Gives group, hash and line of an image that can be read and has a header, or a line tagged "rejected"."""
    image = SourceImage.from_json(line)
    progress.inspected()
    try:
        data = _read(image, options)
        check_header(data, options.image)
    except RejectedImage as error:
        yield TaggedOutput("rejected", _rejected(image, error))
    else:
        content = hashlib.blake2b(data, digest_size=16).digest()
        yield int.from_bytes(content[:2], "big") >> 4, (content, line)


def group_by_content(group: tuple[int, Iterable[tuple[bytes, str]]]) -> Iterator[tuple[bytes, list[str]]]:
    """Gives the lines of images with the same content, from a group with the same first bytes of the hash.

    A runner holds a table of all groups; one for each content would take more memory than the lines in it.
    """
    by_content = defaultdict(list)
    for content, line in group[1]:
        by_content[content].append(line)
    yield from by_content.items()


def decide(group: tuple[bytes, Iterable[str]], options: JobOptions) -> Iterator[Any]:
    """Of images with the same content, gives split and line of the one that is kept, and lines on the others.

    The others are tagged "dropped", or "conflicts" if the job is to fail for them: where the same image is in two
    domains, and where it is in training and validation. Dropping means all of the former, since nobody knows which
    domain is right, and the training images of the latter, so that they leave the validation set as it is.
    """
    content, lines = group
    images = sorted(map(SourceImage.from_json, lines), key=lambda image: image.key)
    across_domains = len({image.domain for image in images}) > 1
    across_splits = {"train", "val"} <= {image.subset for image in images}
    if across_domains or across_splits:
        first = images[0]
        field = (lambda image: image.domain) if across_domains else (lambda image: image.subset)
        reason = "across_domains" if across_domains else "across_splits"
        other = next(image for image in images if field(image) != field(first))
        if options.conflicts == "fail":
            for image in images:
                yield TaggedOutput(
                    "conflicts", _duplicate(image, first if image != first else other, reason, "conflict")
                )
            return
        for image in images:
            if across_domains or image.subset == "train":
                yield TaggedOutput("dropped", _duplicate(image, first if image != first else other, reason))
        if across_domains:
            return
        images = [image for image in images if image.subset == "val"]
    kept, *others = images
    for image in others:
        yield TaggedOutput("dropped", _duplicate(image, kept, "same_content"))
    yield split_name(kept.subset or choose_subset(content, options), kept.domain), kept.to_json()


def choose_subset(content: bytes, options: JobOptions) -> str:
    """Tells training from validation by a hash of an image's content: no other image, and no name, moves it."""
    return "val" if salted_hash("split", options.seed, content.hex()) < options.val_fraction * 2**64 else "train"


def assign(
    kept: tuple[str, str], options: JobOptions, counts: Mapping[str, int]
) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Gives shard and line of an image; nothing if the job will fail anyway."""
    if counts.get(_CONFLICTS) or counts.get(_REJECTED, 0) > options.max_rejected * options.num_images:
        return
    split, line = kept
    num_shards = count_shards(counts[split], options.examples_per_shard)
    shard = assign_shard(SourceImage.from_json(line).key, split, num_shards, options.seed)
    # A plain tuple: as the key of a group it has a coder that gives the same bytes everywhere.
    yield (shard.split, shard.index, shard.num_shards), line


def write(group: tuple[tuple[str, int, int], Iterable[str]], options: JobOptions) -> Iterator[Any]:
    """Prepares and writes the images of a shard; gives a line, looks tagged "looks" and lines tagged "rejected"."""
    shard, lines = Shard(*group[0]), group[1]
    is_val = shard.split.startswith("val_")
    statistics, looks = SplitStatistics(), []
    keys: list[str] = []
    kept, encoded = (Metrics.counter("images", name) for name in ("kept byte for byte", "encoded"))
    with open_shard(shard, options.directory) as writer:
        for image in sorted(map(SourceImage.from_json, lines), key=lambda image: image.key):
            progress.prepared()
            try:
                prepared = prepare_image(_read(image, options), options.image)
            except RejectedImage as error:
                yield TaggedOutput("rejected", _rejected(image, error))
                continue
            label = options.domains.index(image.domain)
            writer.write(serialize_example(prepared.data, label, image.key, image.attributes))
            statistics.add(prepared)
            looks.append(perceptual_hashes.look_at(prepared.image, is_val, label, shard.index, len(keys)))
            keys.append(image.key)
            (kept if prepared.kept else encoded).inc()
    if keys:
        # Looks tell only which example of a shard they are of; this tells its key.
        files.write(keys_file(options.directory, is_val, label, shard.index), json.dumps(keys).encode())
    for band in perceptual_hashes.bands(looks).items():
        yield TaggedOutput("looks", band)
    yield _line("shard", {"written": writer.written, "statistics": statistics.to_json()})


def compare(group: tuple[int, Iterable[bytes]]) -> Iterator[str]:
    """Gives a line for each pair across training and validation that looks alike."""
    for val, train, differing_bits in perceptual_hashes.near_pairs(*group):
        pair = {"val": val[1:5], "train": train[1:5], "differing_bits": differing_bits}
        yield _line("near_duplicate", pair)


def _read(image: SourceImage, options: JobOptions) -> bytes:
    """The bytes of an image; raises RejectedImage."""
    try:
        return read_image(image.location, options.image.max_bytes, options.example_format)
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
