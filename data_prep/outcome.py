"""The results of the job: the lines that workers wrote, checked, counted and sorted."""

import functools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_prep.shards import Shard, WrittenShard
from data_prep.statistics import SplitStatistics
from stargan_tf.base import files
from stargan_tf.data.records import SUBSETS, split_name

LIST_PREFIX = "list-"  # of the files with images that workers read
_OUTCOME_PREFIX = "outcome-"  # of the files that they write
REJECTED_FILE = "rejected.jsonl"
DUPLICATES_FILE = "duplicates.jsonl"
NEAR_DUPLICATES_FILE = "near_duplicates.jsonl"

_SHOWN = 3


@dataclass
class Outcome:
    """What came of all images.

    Args:
        shards: what was written, by shard.
        statistics: of the images of a split, by its name.
        rejected: path, domain, reason and exact error of each rejected image.
        duplicates: path, domain and reason of each image dropped for another with the same content, and which.
        conflicts: the same of images for which the job fails.
        near_duplicates: validation images and the training image that each looks like.
        ignored: counts the records that workers left out, by a description.
    """

    shards: dict[Shard, WrittenShard] = field(default_factory=dict)
    statistics: dict[str, SplitStatistics] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    near_duplicates: list[dict[str, Any]] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    @property
    def num_written(self) -> int:
        """Number of images written."""
        return sum(shard.num_examples for shard in self.shards.values())

    def count_written(self, split: str) -> int:
        """Returns the number of images written to a split."""
        return sum(shard.num_examples for shard in self.shards.values() if shard.shard.split == split)


def work_folder(directory: str) -> str:
    """Returns the folder through which workers and the main process exchange files, which exists during a job only."""
    return files.join(directory, "work")


def outcome_file(of: str) -> str:
    """Returns the name of a file with lines on what came of images; `of` tells those of different steps apart."""
    return f"{_OUTCOME_PREFIX}{of}.jsonl"


def shard_outcome_file(directory: str, is_val: bool, label: int, shard: int) -> str:
    """Returns the file with the lines on a shard; the first is on the shard itself."""
    return files.join(work_folder(directory), outcome_file(f"shard-{int(is_val)}-{label}-{shard}"))


def read_outcome(directory: str, domains: Sequence[str]) -> Outcome:
    """Reads what workers wrote.

    Args:
        directory: where they wrote.
        domains: names of the domains, in the order of their labels.

    Returns:
        The outcome, every list sorted by path.
    """
    outcome, work = Outcome(), work_folder(directory)
    closest: dict[tuple, tuple] = {}
    lists = {
        "rejected": outcome.rejected,
        "duplicate": outcome.duplicates,
        "conflict": outcome.conflicts,
    }
    for name in files.list_files(work):
        if not name.startswith(_OUTCOME_PREFIX):
            continue
        for line in files.read(files.join(work, name)).decode().splitlines():
            entry = json.loads(line)
            kind = entry.pop("kind")
            if kind == "shard":
                shard, *rest = entry["written"]
                written = WrittenShard(Shard(*shard), *rest)
                outcome.shards[written.shard] = written
                split = outcome.statistics.setdefault(written.shard.split, SplitStatistics())
                split.merge(SplitStatistics.from_json(entry["statistics"]))
            elif kind == "ignored":
                outcome.ignored[entry["description"]] += entry["count"]
            elif kind == "near_duplicate":
                # A pair is found once for each band of bits that it shares; the closest of all bands counts.
                val, found = tuple(entry["val"]), (entry["differing_bits"], tuple(entry["train"]))
                closest[val] = min(closest.get(val, found), found)
            else:
                lists[kind].append(entry)
    for entries in (outcome.rejected, outcome.duplicates, outcome.conflicts):
        entries.sort(key=lambda entry: entry["path"])
    outcome.near_duplicates += _name_pairs(closest, directory, domains)
    return outcome


def _name_pairs(closest: Mapping[tuple, tuple], directory: str, domains: Sequence[str]) -> list[dict[str, Any]]:
    """Keys and splits of pairs that look alike, of which workers told shards and positions."""

    @functools.lru_cache(maxsize=64)
    def keys(is_val: bool, label: int, shard: int) -> list[str]:
        of_shard = files.read(shard_outcome_file(directory, is_val, label, shard)).partition(b"\n")[0]
        return json.loads(of_shard)["keys"]

    pairs = []
    for val, (differing_bits, train) in sorted(closest.items()):
        pair = {}
        for subset, (is_val, label, shard, position) in (("val", val), ("train", train)):
            pair[subset] = keys(is_val, label, shard)[position]
            pair[f"{subset}_split"] = split_name(subset, domains[label])
        pairs.append({**pair, "differing_bits": differing_bits})
    return sorted(pairs, key=lambda pair: pair["val"])


def write_lists(outcome: Outcome, place: str, separator: str = "/") -> None:
    """Writes the lists of rejected images and duplicates.

    Args:
        outcome: what came of all images.
        place: a directory; or, with another separator, what their names begin with.
        separator: between `place` and the names.
    """
    lists = {
        REJECTED_FILE: outcome.rejected,
        DUPLICATES_FILE: [*outcome.conflicts, *outcome.duplicates],
        NEAR_DUPLICATES_FILE: outcome.near_duplicates,
    }
    for name, entries in lists.items():
        files.write(f"{place}{separator}{name}", to_lines(entries))


def to_lines(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Returns JSON lines."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode()


def print_summary(outcome: Outcome, domains: Sequence[str]) -> None:
    """Prints a table of counts, domains without validation images, the first rejected images, and duplicates.

    Args:
        outcome: what came of all images.
        domains: names of the domains, in the order of the table.
    """
    rejected, duplicates = (
        Counter(entry["domain"] for entry in entries) for entries in (outcome.rejected, outcome.duplicates)
    )
    width = max(len("domain"), *(len(domain) for domain in domains))
    print(f"{'domain':{width}}  {'train':>8}  {'val':>8}  {'rejected':>8}  {'duplicates':>10}")
    for domain in domains:
        train, val = (outcome.count_written(split_name(subset, domain)) for subset in SUBSETS)
        print(f"{domain:{width}}  {train:8}  {val:8}  {rejected[domain]:8}  {duplicates[domain]:10}")
    without = [domain for domain in domains if not outcome.count_written(split_name("val", domain))]
    if without and outcome.num_written:
        more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
        print(
            f"warning: no validation images of {', '.join(map(repr, without[:_SHOWN]))}{more}; evaluation needs some "
            "of every domain"
        )
    for entry in outcome.rejected[:_SHOWN]:
        print(f"rejected {entry['path']!r}: {entry['error']}")
    if len(outcome.rejected) > _SHOWN:
        print(f"... and {len(outcome.rejected) - _SHOWN} more, listed in {REJECTED_FILE}")
    for pair in outcome.near_duplicates[:_SHOWN]:
        print(f"look alike: {pair['val']!r} of validation and {pair['train']!r} of training")
    if len(outcome.near_duplicates) > _SHOWN:
        print(f"... and {len(outcome.near_duplicates) - _SHOWN} more pairs, listed in {NEAR_DUPLICATES_FILE}")
    for description, count in sorted(outcome.ignored.items()):
        print(f"ignored: {count} {description}")


def check_outcome(
    outcome: Outcome, domains: Sequence[str], num_images: int, max_rejected: float, list_file: str
) -> str | None:
    """Tells why the job fails, if it does.

    Args:
        outcome: what came of all images.
        domains: names of the domains.
        num_images: how many images the source has.
        max_rejected: the largest share of rejected images with which the job does not fail.
        list_file: what the names of the lists of rejected images and duplicates begin with, for the message.

    Returns:
        A sentence about a mistake of the user; None if all is well.

    Raises:
        RuntimeError: images got lost.
    """
    if outcome.conflicts:
        first = outcome.conflicts[0]
        where = (
            f"domains {first['domain']!r} and {first['domain_of_same']!r}"
            if first["reason"] == "across_domains"
            else "training and validation"
        )
        return (
            f"{first['path']!r} and {first['same_as']!r} are the same image in {where}, one of "
            f"{len(outcome.conflicts)} images of that kind; remove one, or let --conflicts drop decide "
            f"({list_file}{DUPLICATES_FILE} lists them)"
        )
    num_images -= outcome.ignored.total()
    if len(outcome.rejected) > max_rejected * num_images:
        return (
            f"{len(outcome.rejected)} of {num_images} images are rejected, more than "
            f"--max_rejected {max_rejected} allows; {list_file}{REJECTED_FILE} lists them"
        )
    found = outcome.num_written + len(outcome.rejected) + len(outcome.duplicates)
    if found != num_images:
        raise RuntimeError(
            f"{num_images} images, but {outcome.num_written} written, {len(outcome.rejected)} rejected and "
            f"{len(outcome.duplicates)} duplicates"
        )
    for domain in domains:
        if not outcome.count_written(split_name("train", domain)):
            return (
                f"domain {domain!r} has no readable training image left; add images or lower --val_fraction "
                f"({list_file}{REJECTED_FILE} lists the rejected ones)"
            )
    return None
