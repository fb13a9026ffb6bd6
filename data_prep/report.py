"""A data directory as one page for the browser: `python -m data_prep.report DIR`.

The page is a single HTML file with everything in it: counts, distributions, sample images of every domain, rejected
images with their reasons, duplicates, and pairs across training and validation that look alike.
"""

import json
import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_prep import report_page
from data_prep.dataset_info import STATISTICS_FILE
from data_prep.manifest import read_manifest
from data_prep.outcome import DUPLICATES_FILE, NEAR_DUPLICATES_FILE, REJECTED_FILE
from data_prep.report_page import Sample
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.data.example_format import decode_example
from stargan_tf.data.records import IMAGE, KEY, SUBSETS, split_name
from stargan_tf.data.tfrecord import CorruptRecord, read_records

PROGRAM = "python -m data_prep.report"
REPORT_FILE = "report.html"

_PAIRS_SHOWN = 24
_ENTRIES_SHOWN = 200


@dataclass(frozen=True)
class Arguments:
    """What to show.

    Args:
        data: data directory that data_prep.images_to_tfrecords wrote.
        output: file to write; by default DIR.report.html beside the directory, which stays as its manifest says.
        samples: number of images shown of each domain.
        overwrite: whether a file that is there is replaced.
    """

    data: str
    output: str | None = None
    samples: int = 24
    overwrite: bool = False


def run(arguments: Arguments) -> None:
    """Writes the page.

    Args:
        arguments: what to show.

    Raises:
        UserError: not a data directory of the job, a damaged file, or a page that is there already.
    """
    if arguments.samples < 1:
        raise UserError(f"--samples {arguments.samples} is too small; the least is 1")
    directory = arguments.data.rstrip("/")
    output = arguments.output or f"{directory}.{REPORT_FILE}"
    if files.exists(output) and not arguments.overwrite:
        raise UserError(f"--output {output} exists; remove it, or let --overwrite replace it")
    manifest = read_manifest(directory)
    statistics = json.loads(files.read(files.join(directory, STATISTICS_FILE)))
    pairs = _read_lines(directory, NEAR_DUPLICATES_FILE)
    rejected, duplicates = _read_lines(directory, REJECTED_FILE), _read_lines(directory, DUPLICATES_FILE)
    wanted = {(pair[f"{subset}_split"], pair[subset]) for pair in pairs[:_PAIRS_SHOWN] for subset in SUBSETS}
    page = report_page.build(
        name=files.name_of(directory),
        settings=manifest["settings"],
        statistics=statistics,
        samples={domain: _samples(directory, manifest, domain, arguments.samples) for domain in statistics["domains"]},
        rejected=rejected[:_ENTRIES_SHOWN],
        duplicates=duplicates[:_ENTRIES_SHOWN],
        num_duplicates_by_reason=Counter(entry["reason"] for entry in duplicates),
        pairs=pairs[:_PAIRS_SHOWN],
        looks=_find(directory, manifest, wanted),
    )
    files.write(output, page.encode())
    print(f"report: {output}")


def _read_lines(directory: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.read(files.join(directory, name)).decode().splitlines()]


def _samples(directory: str, manifest: Mapping[str, Any], domain: str, count: int) -> Sequence[Sample]:
    """Images of a domain: of training, and some of validation."""
    train = list(_read_split(directory, manifest, split_name("train", domain), count))
    val = list(_read_split(directory, manifest, split_name("val", domain), max(1, count // 4)))
    return [*train[: count - len(val)], *val]


def _read_split(directory: str, manifest: Mapping[str, Any], split: str, count: int) -> Iterator[Sample]:
    """Images spread over the first shards of a split."""
    shards = _shards(manifest, split)
    per_shard = -(-count // max(1, len(shards)))
    for name, entry in shards[:count]:
        # Every so many, so that images from all over the shard are seen, and not those of one photographer only.
        step = max(1, entry["examples"] // per_shard)
        for number, (key, image) in enumerate(_read_shard(directory, name)):
            if number % step == 0 and number // step < per_shard:
                yield Sample.of(key, split, image, manifest["settings"])


def _find(directory: str, manifest: Mapping[str, Any], wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Sample]:
    """Images by split and key."""
    keys = defaultdict(set)
    for split, key in wanted:
        keys[split].add(key)
    return {
        (split, key): Sample.of(key, split, image, manifest["settings"])
        for split, of_split in keys.items()
        for name, _ in _shards(manifest, split)
        for key, image in _read_shard(directory, name)
        if key in of_split
    }


def _shards(manifest: Mapping[str, Any], split: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Names and entries of the shards of a split that have examples, in order."""
    return [
        (name, entry)
        for name, entry in sorted(manifest["files"].items())
        if entry.get("examples") and name.partition("-")[2].partition(".")[0] == split
    ]


def _read_shard(directory: str, name: str) -> Iterator[tuple[str, bytes]]:
    """Key and stored bytes of every image of a shard."""
    try:
        with files.open_file(files.join(directory, name)) as file:
            for record in read_records(file):
                example = decode_example(record)
                yield example[KEY][0].decode(), example[IMAGE][0]
    except (CorruptRecord, ValueError, KeyError) as error:
        raise UserError(f"{files.join(directory, name)} is damaged: {error}; make the data directory anew") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.ERROR)  # Beam greets with warnings about parts that are not needed here.
    if argv and not argv[0].startswith("-"):
        argv[:1] = ["--data", argv[0]]
    return command_line.main(
        Arguments, run, PROGRAM, "Shows a data directory as one HTML page: report DIR, or report --data DIR.", argv
    )


if __name__ == "__main__":
    sys.exit(main())
