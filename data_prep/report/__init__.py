"""A data directory as one page for the browser: `python -m data_prep.report DIR`.

The page is one HTML file that needs no others: counts, distributions, sample images of every domain, rejected images
with their reasons, duplicates, and pairs across training and validation that look alike.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from data_prep.dataset_info import STATISTICS_FILE
from data_prep.outcome import DUPLICATES_FILE, NEAR_DUPLICATES_FILE, REJECTED_FILE
from stargan_tf.base import command_line, files
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import PositiveInt
from stargan_tf.data.manifest import read_manifest
from stargan_tf.data.records import SUBSETS

PROGRAM = "python -m data_prep.report"
REPORT_FILE = "report.html"

_PAIRS_SHOWN = 24
_ENTRIES_SHOWN = 200


@dataclass(frozen=True)
class Arguments:
    """What to show.

    Args:
        data: data directory that data_prep.images_to_tfrecords wrote.
        output: file to write; by default DIR.report.html, outside of DIR, so that its manifest still lists all files.
        samples: number of images shown of each domain.
        overwrite: whether an existing file is replaced.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("data", "output")  # may lie on a store

    data: str
    output: str | None = None
    samples: PositiveInt = 24
    overwrite: bool = False


def run(arguments: Arguments) -> None:
    """Writes the page.

    Args:
        arguments: what to show.

    Raises:
        UserError: not a data directory of the job, a damaged file, or a page that exists already.
    """
    command_line.check_ranges(arguments)
    directory = arguments.data.rstrip("/")
    output = arguments.output or f"{directory}.{REPORT_FILE}"
    if files.exists(output) and not arguments.overwrite:
        raise UserError(f"--output {output} exists; remove it, or let --overwrite replace it")
    from data_prep.report import page, samples  # they bring Matplotlib and Pillow

    manifest = read_manifest(directory)
    statistics = json.loads(files.read(files.join(directory, STATISTICS_FILE)))
    pairs = _read_lines(directory, NEAR_DUPLICATES_FILE)
    rejected, duplicates = _read_lines(directory, REJECTED_FILE), _read_lines(directory, DUPLICATES_FILE)
    wanted = {(pair[f"{subset}_split"], pair[subset]) for pair in pairs[:_PAIRS_SHOWN] for subset in SUBSETS}
    html = page.build(
        name=files.name_of(directory),
        settings=manifest["settings"],
        statistics=statistics,
        samples={
            domain: samples.of_domain(directory, manifest, domain, arguments.samples)
            for domain in statistics["domains"]
        },
        rejected=rejected[:_ENTRIES_SHOWN],
        duplicates=duplicates[:_ENTRIES_SHOWN],
        num_duplicates_by_reason=Counter(entry["reason"] for entry in duplicates),
        pairs=pairs[:_PAIRS_SHOWN],
        pair_images=samples.find(directory, manifest, wanted),
    )
    files.write(output, html.encode())
    print(f"report: {output}")


def _read_lines(directory: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files.read(files.join(directory, name)).decode().splitlines()]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and not argv[0].startswith("-"):
        argv[:1] = ["--data", argv[0]]
    return command_line.main(
        Arguments, run, PROGRAM, "Writes one HTML page about a data directory: report DIR, or report --data DIR.", argv
    )
