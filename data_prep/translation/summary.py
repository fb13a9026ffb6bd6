"""The end of a job: the lists of all shards, counted and compared with the input, and what is written of them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from data_prep.dataset_info import write_tfds_metadata
from data_prep.outcome import REJECTED_FILE
from data_prep.shards import Shard, write_shard
from data_prep.translation.results import DATA_FOLDER, IMAGES_FOLDER, JobOptions, read_list
from stargan_tf.base import files
from stargan_tf.data.manifest import MANIFEST_FILE, write_manifest
from stargan_tf.data.records import shard_file, split_name
from stargan_tf.data.tfds_metadata import SplitSummary

_SHOWN = 3


@dataclass
class Summary:
    """What came of all images.

    Args:
        num_images: images that were looked at.
        translated: translations by domain and style.
        rejected: rejected images by reason.
        examples: of rejected images, a few.
        shards: of records, by domain.
        sha256: of the lists of all shards, in order: two jobs that wrote the same have the same.
    """

    num_images: int = 0
    translated: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)
    shards: dict[Shard, dict[str, Any]] = field(default_factory=dict)
    sha256: str = ""


def summarize(options: JobOptions) -> Summary:
    """Reads the lists of all shards, one after the other, and writes the list of rejected images.

    Args:
        options: of the job.

    Returns:
        Counts.
    """
    summary, whole = Summary(), hashlib.sha256()
    with files.create(files.join(options.directory, REJECTED_FILE)) as rejected:
        for index in range(options.num_shards):
            for entry in read_list(options, index) or ():
                kind = entry.pop("kind")
                whole.update(json.dumps(entry, sort_keys=True).encode())
                if kind == "shard":
                    summary.num_images += entry["images"]
                elif kind == "translation":
                    summary.translated[entry["domain"], entry["style"]] += 1
                elif kind == "file":
                    summary.shards[Shard(*entry.pop("shard"))] = entry
                else:
                    summary.rejected[entry["reason"]] += 1
                    summary.examples += [entry] * (len(summary.examples) < _SHOWN)
                    rejected.write(f"{json.dumps(entry, ensure_ascii=False)}\n".encode())
    summary.sha256 = whole.hexdigest()
    return summary


def check_counts(summary: Summary, options: JobOptions, num_images: int, max_rejected: float) -> str | None:
    """Compares what was written with what was to be.

    Args:
        summary: of all shards.
        options: of the job.
        num_images: how many images the input has.
        max_rejected: the largest share of rejected images with which the job does not fail.

    Returns:
        A sentence if too many images are rejected; None if all is well.

    Raises:
        RuntimeError: images or translations got lost.
    """
    rejected, translated = summary.rejected.total(), summary.translated.total()
    expected = (num_images - rejected) * len(options.styles)
    if summary.num_images != num_images or translated != expected:
        raise RuntimeError(
            f"{num_images} images in {len(options.styles)} styles, but {summary.num_images} images looked at, "
            f"{rejected} rejected and {translated} translations instead of {expected}; give the same command again"
        )
    if options.form == "files":
        folder = files.join(options.directory, IMAGES_FOLDER)
        there = sum(1 for _ in files.list_files(folder)) if translated else 0
        if there != translated:
            raise RuntimeError(f"{translated} translations, but {there} files in {folder}; nothing else may be in it")
    if rejected > max_rejected * num_images:
        return (
            f"{rejected} of {num_images} images are rejected, more than --max_rejected {max_rejected} allows; "
            f"{files.join(options.directory, REJECTED_FILE)} lists them"
        )
    return None


def describe(summary: Summary, options: JobOptions, settings: Mapping[str, Any], ignored: Mapping[str, int]) -> None:
    """Writes what makes records a data directory, and at last the manifest, with which the job is complete."""
    if options.form == "tfrecord":
        _describe_records(summary, options)
    manifest = {
        "settings": dict(settings),
        "num_images": summary.num_images,
        "num_translations": summary.translated.total(),
        "num_rejected": summary.rejected.total(),
        "rejected_by_reason": dict(sorted(summary.rejected.items())),
        "ignored": dict(sorted(ignored.items())),
        "translations": [
            {"domain": domain, "style": style, "count": summary.translated[domain, style]}
            for domain, style in options.styles
        ],
        "num_shards": options.num_shards,
        "sha256": summary.sha256,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    files.write(files.join(options.directory, MANIFEST_FILE), f"{text}\n".encode())


def _describe_records(summary: Summary, options: JobOptions) -> None:
    """Makes a data directory of files of records."""
    folder = files.join(options.directory, DATA_FOLDER)
    entries, splits = {}, {}
    for domain in dict.fromkeys(domain for domain, _ in options.styles):
        shards = [Shard(split_name("train", domain), index, options.num_shards) for index in range(options.num_shards)]
        for shard in shards:
            if shard not in summary.shards:  # no key belongs to it, but readers expect the file
                written = write_shard(shard, [], folder)
                known = {"bytes": written.num_bytes, "sha256": written.sha256, "examples": 0}
                summary.shards[shard] = known
            entries[shard_file(*shard)] = {
                name: summary.shards[shard][name] for name in ("sha256", "bytes", "examples")
            }
        splits[shards[0].split] = SplitSummary(
            shard_lengths=tuple(summary.shards[shard]["examples"] for shard in shards),
            num_bytes=sum(summary.shards[shard]["bytes"] for shard in shards),
        )
    write_tfds_metadata(folder, options.domains, options.image.image_size, splits, entries)
    write_manifest(folder, entries, {**asdict(options.image), "encoding": options.format})


def print_summary(summary: Summary, options: JobOptions) -> None:
    """Prints a table of counts, and the first rejected images."""
    width = max(len("domain"), *(len(domain) for domain, _ in options.styles))
    print(f"{'domain':{width}}  {'styles':>6}  {'translations':>12}")
    for domain in dict.fromkeys(domain for domain, _ in options.styles):
        counts = [summary.translated[pair] for pair in options.styles if pair[0] == domain]
        print(f"{domain:{width}}  {len(counts):6}  {sum(counts):12}")
    translated = summary.num_images - summary.rejected.total()
    print(f"{summary.num_images} images: {translated} translated, {summary.rejected.total()} rejected")
    for entry in summary.examples:
        print(f"rejected {entry['path']!r}: {entry['error']}")
    if summary.rejected.total() > len(summary.examples):
        print(f"... and {summary.rejected.total() - len(summary.examples)} more, listed in {REJECTED_FILE}")
