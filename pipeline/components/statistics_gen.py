"""StatisticsGen: `python -m pipeline.components.statistics_gen --examples DIR --output DIR`.

The Beam job counts while it writes, so nothing is counted again here. This stage checks that the counts belong to the
data, adds counts from the lists of the job (rejected images and duplicates by domain), and writes everything where TFX
expects it.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from data_prep import dataset_info
from data_prep.outcome import DUPLICATES_FILE, NEAR_DUPLICATES_FILE, REJECTED_FILE
from data_prep.verify import verify
from pipeline import artifacts
from stargan_tf.base import command_line
from stargan_tf.base.errors import RefusedError
from stargan_tf.base.writing import whole_directory
from stargan_tf.data.manifest import hash_file, read_manifest

PROGRAM = "python -m pipeline.components.statistics_gen"
DESCRIPTION = "Extracts the statistics of a data directory, checked against its manifest."

_LISTS = (REJECTED_FILE, DUPLICATES_FILE, NEAR_DUPLICATES_FILE)


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        examples: data directory that data_prep.images_to_tfrecords wrote.
        output: directory to write, new or empty: statistics.json, and Split-NAME/FeatureStats.pb for each split.
        verify: read every file and decode every image, instead of only the files that the statistics come from.
    """

    examples: str
    output: str
    verify: bool = False


def run(arguments: Arguments) -> None:
    """Writes the statistics.

    Raises:
        RefusedError: a data directory that is not as the job wrote it.
        UserError: no data directory of the job, or an output that is not empty.
    """
    examples = arguments.examples.rstrip("/")
    manifest = read_manifest(examples)
    if arguments.verify:
        verify(examples)
    for name in (dataset_info.STATISTICS_FILE, dataset_info.STATISTICS_PROTO_FILE, *_LISTS):
        _check_file(Path(examples) / name, manifest)
    with whole_directory(arguments.output) as directory:
        artifacts.write_json(directory / artifacts.STATISTICS_FILE, _collect(Path(examples), manifest))
        _write_protos(Path(examples) / dataset_info.STATISTICS_PROTO_FILE, directory)
    print(f"statistics: {arguments.output}")


def _check_file(path: Path, manifest: dict[str, Any]) -> None:
    """Checks one file against the manifest."""
    if path.name not in manifest["files"] or not path.is_file():
        raise RefusedError(f"{path.parent} has no {path.name}; make the data directory anew")
    sha256, _ = hash_file(str(path))
    if sha256 != manifest["files"][path.name]["sha256"]:
        raise RefusedError(f"{path} is not as it was written, by its manifest; make the data directory anew")


def _collect(examples: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The statistics of the job, with its settings and with counts from its lists by domain."""
    statistics = json.loads((examples / dataset_info.STATISTICS_FILE).read_text(encoding="utf-8"))
    in_shards = sum(entry.get("examples", 0) for entry in manifest["files"].values())
    if in_shards != statistics["num_written"]:
        raise RefusedError(
            f"{examples} has {in_shards} examples by its manifest and {statistics['num_written']} by its statistics; "
            "make the data directory anew"
        )
    rejected, duplicates, near = (_read_lines(examples / name) for name in _LISTS)
    return {
        "image_size": manifest["settings"]["image_size"],
        "encoding": manifest["settings"]["encoding"],
        **statistics,
        "rejected_by_domain": _count(entry["domain"] for entry in rejected),
        "duplicates_by_domain": _count(entry["domain"] for entry in duplicates),
        "near_duplicates_by_split": _count(pair["val_split"] for pair in near),
    }


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _write_protos(path: Path, directory: Path) -> None:
    """Writes the statistics of each split where TFX looks for them."""
    whole = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    for dataset in whole.datasets:
        split = directory / f"Split-{dataset.name}"
        split.mkdir()
        alone = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
        (split / "FeatureStats.pb").write_bytes(alone.SerializeToString(deterministic=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
