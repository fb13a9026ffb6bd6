"""SchemaGen: `python -m pipeline.components.schema_gen --statistics DIR --output DIR`.

A later data set is compared with the schema: domains in their order, the size of images, and counts and distributions
of each split. How much a later one may differ is not in it: that is configuration (`example_validator`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data_prep import metadata_protos
from data_prep.statistics import EDGES
from pipeline import artifacts
from stargan_tf.base import command_line
from stargan_tf.base.writing import whole_directory
from stargan_tf.data.records import SUBSETS, split_name

PROGRAM = "python -m pipeline.components.schema_gen"
DESCRIPTION = "Describes a data set, so that later ones can be compared with it."

# Distributions that are compared with those of a later data set.
DISTRIBUTIONS = ("brightness", "source_width", "source_height", "source_aspect")


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        statistics: directory that statistics_gen wrote.
        output: directory to write, new or empty: schema.json and schema.pbtxt.
    """

    statistics: str
    output: str


def run(arguments: Arguments) -> None:
    """Writes the schema.

    Raises:
        UserError: no statistics, or an output that is not empty.
    """
    statistics = artifacts.read_json(arguments.statistics, artifacts.STATISTICS_FILE, "statistics")
    with whole_directory(arguments.output) as directory:
        artifacts.write_json(directory / artifacts.SCHEMA_FILE, describe(statistics))
        (directory / artifacts.SCHEMA_PROTO_FILE).write_text(
            metadata_protos.schema(
                statistics["domains"], statistics["image_size"], raw=statistics["encoding"] == "raw"
            ),
            encoding="utf-8",
        )
    print(f"schema: {arguments.output}")


def describe(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Extracts from statistics what a later data set is compared with.

    Args:
        statistics: content of the statistics.json that statistics_gen wrote.

    Returns:
        `domains` in the order of their labels, `image_size` as [height, width], `encoding`, and `splits` by name: each
        with `domain`, `subset`, `num_examples` and `distributions` (count, mean, deviation, least, most, and the
        histogram with its edges; the last edge may be null for infinity).
    """
    splits = {}
    for subset in SUBSETS:
        for domain in statistics["domains"]:
            values = statistics["splits"].get(split_name(subset, domain))
            if values is not None:
                splits[split_name(subset, domain)] = {
                    "domain": domain,
                    "subset": subset,
                    "num_examples": values["num_examples"],
                    "distributions": {name: {**values[name], "edges": _finite(EDGES[name])} for name in DISTRIBUTIONS},
                }
    return {
        "domains": statistics["domains"],
        "image_size": statistics["image_size"],
        "encoding": statistics["encoding"],
        "splits": splits,
    }


def _finite(edges: Sequence[float]) -> list[float | None]:
    """JSON has no infinity."""
    return [None if edge == float("inf") else edge for edge in edges]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
