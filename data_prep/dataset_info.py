"""The files of a data directory besides the shards: lists, statistics, schema, metadata and manifest."""

import json
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep import metadata_protos
from data_prep.images import ImageOptions
from data_prep.outcome import Outcome, work_folder, write_lists
from data_prep.shards import Shard, write_shard
from data_prep.sources import Source
from data_prep.statistics import find_narrow_values
from stargan_tf.base import command_line, files
from stargan_tf.data.manifest import write_manifest
from stargan_tf.data.records import SUBSETS, shard_file, split_name
from stargan_tf.data.tfds_metadata import SplitSummary, write_metadata

STATISTICS_FILE = "statistics.json"
STATISTICS_PROTO_FILE = "statistics.binpb"  # a DatasetFeatureStatisticsList
SCHEMA_FILE = "schema.pbtxt"
METADATA_FILES = ("features.json", "dataset_info.json")  # without them no reader takes a directory for complete


def describe(
    outcome: Outcome, source: Source, options: ImageOptions, settings: Mapping[str, Any], directory: str
) -> None:
    """Turns a directory of shards into a data directory, with lists, statistics, schema, metadata and manifest.

    Args:
        outcome: results of all images; shards without examples are added to it.
        source: where the images came from.
        options: how they were stored.
        settings: the other settings that determine what is written, for the manifest.
        directory: the directory; everything that is not part of the data is removed from it.
    """
    splits, labels = _summarize_splits(source, outcome, directory)
    expected = {shard_file(*shard) for shard in outcome.shards}
    # Remove lists for workers, and shards of workers that their runner gave up.
    files.delete_folder(work_folder(directory))
    files.delete([files.join(directory, name) for name in files.list_files(directory) if name not in expected])
    write_lists(outcome, directory)
    statistics = {split: outcome.statistics[split] for split in splits}
    summary = {
        "num_images": outcome.num_written + len(outcome.rejected) + len(outcome.duplicates),
        "num_written": outcome.num_written,
        "num_rejected": len(outcome.rejected),
        "num_duplicates": len(outcome.duplicates),
        "num_near_duplicates": len(outcome.near_duplicates),
        "rejected_by_reason": dict(sorted(Counter(entry["reason"] for entry in outcome.rejected).items())),
        "ignored": dict(sorted((source.ignored + outcome.ignored).items())),
        "warnings": find_narrow_values(outcome.statistics, source.domains, options.value_range),
        "domains": list(source.domains),
        "splits": {split: values.summary() for split, values in statistics.items()},
    }
    files.write(
        files.join(directory, STATISTICS_FILE), f"{json.dumps(summary, indent=1, ensure_ascii=False)}\n".encode()
    )
    raw = options.encoding == "raw"
    files.write(
        files.join(directory, SCHEMA_FILE),
        metadata_protos.schema(source.domains, options.image_size, raw).encode(),
    )
    files.write(files.join(directory, STATISTICS_PROTO_FILE), metadata_protos.statistics(statistics, labels))
    write_tfds_metadata(
        directory, source.domains, options.image_size, splits, {shard_file(*shard) for shard in outcome.shards}, raw
    )
    shards = {
        shard_file(*shard): {"sha256": written.sha256, "bytes": written.num_bytes, "examples": written.num_examples}
        for shard, written in outcome.shards.items()
    }
    write_manifest(directory, shards, {**asdict(options), **settings})


def write_tfds_metadata(
    directory: str,
    domains: Sequence[str],
    image_size: tuple[int, int],
    splits: Mapping[str, SplitSummary],
    shard_files: Collection[str],
    decoded: bool = False,
) -> None:
    """Writes the metadata by which TensorFlow Datasets reads a directory, on any file system.

    Args:
        directory: where the shards are.
        domains: names of the domains, in the order of their labels.
        image_size: height and width in pixels.
        splits: what was written, by split.
        shard_files: names of all shards.
        decoded: whether images are stored as pixels.
    """
    with tempfile.TemporaryDirectory() as local, command_line.quiet_start():
        # TensorFlow Datasets writes to fewer file systems than fsspec. It looks at names of shards, not into them.
        for name in shard_files:
            (Path(local) / name).touch()
        write_metadata(local, domains, image_size, splits, decoded=decoded)
        for file in sorted(Path(local).iterdir()):
            if file.name not in shard_files:
                files.write(files.join(directory, file.name), file.read_bytes())


def _summarize_splits(
    source: Source, outcome: Outcome, directory: str
) -> tuple[dict[str, SplitSummary], dict[str, tuple[int, str]]]:
    """Describes every split that has examples, by subset and domain; returns their labels and domains too."""
    splits, labels = {}, {}
    for subset in SUBSETS:
        for label, domain in enumerate(source.domains):
            split = split_name(subset, domain)
            num_shards = next((shard.num_shards for shard in outcome.shards if shard.split == split), 0)
            if not outcome.count_written(split):
                continue
            shards = [Shard(split, index, num_shards) for index in range(num_shards)]
            for shard in shards:
                if shard not in outcome.shards:  # no key belongs to it, but readers expect the file
                    outcome.shards[shard] = write_shard(shard, [], directory)
            splits[split] = SplitSummary(
                shard_lengths=tuple(outcome.shards[shard].num_examples for shard in shards),
                num_bytes=sum(outcome.shards[shard].num_bytes for shard in shards),
            )
            labels[split] = (label, domain)
    # A split whose images were all rejected has no files.
    for shard in [shard for shard in outcome.shards if shard.split not in splits]:
        del outcome.shards[shard]
    return splits, labels
