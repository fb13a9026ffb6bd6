"""ExampleValidator: `python -m pipeline.components.example_validator --statistics DIR --output DIR [--schema DIR]`.

Compares a data set with absolute thresholds and with the schema of the last good run. The anomalies are written first;
then the stage fails if any of them is blocking, so that nothing is trained on such data.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline import anomalies, artifacts
from pipeline.anomalies import Thresholds
from pipeline.section_flags import with_new_names
from stargan_tf.base import command_line
from stargan_tf.base.errors import RefusedError
from stargan_tf.base.writing import whole_directory

PROGRAM = "python -m pipeline.components.example_validator"
DESCRIPTION = (
    "Finds what is wrong with a data set. Exit code 0: nothing that blocks, 3: something does (anomalies.json and the "
    "error say what), 2: a mistake in the flags."
)


class BlockingAnomalies(RefusedError):
    """The data set must not be trained on; anomalies.json is written, and the message lists all reasons."""


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        statistics: directory that statistics_gen wrote.
        output: directory to write, new or empty: anomalies.json.
        schema: directory that schema_gen wrote in the last good run; without one, only absolute thresholds apply.
        example_validator: how much the data may differ, as a run's configuration has it.
    """

    statistics: str
    output: str
    schema: str | None = None
    example_validator: Thresholds = field(default_factory=Thresholds)


def run(arguments: Arguments) -> None:
    """Writes what is wrong with the data.

    Raises:
        BlockingAnomalies: something is wrong that blocks; the output is written all the same.
        UserError: a threshold out of range, missing statistics or schema, or an output that is not empty.
    """
    thresholds = arguments.example_validator
    thresholds.check("--example_validator.")
    statistics = artifacts.read_json(arguments.statistics, artifacts.STATISTICS_FILE, "statistics")
    schema = None
    if arguments.schema is not None:
        schema = artifacts.read_json(arguments.schema, artifacts.SCHEMA_FILE, "schema")
    found = anomalies.find(statistics, schema, thresholds)
    blocking = [anomaly["reason"] for anomaly in found if anomaly["blocking"]]
    if_intended = anomalies.if_intended(found, thresholds)
    with whole_directory(arguments.output) as directory:
        artifacts.write_json(
            directory / artifacts.ANOMALIES_FILE,
            {
                "blocking": bool(blocking),
                "compared_with_schema": schema is not None,
                "if_intended": if_intended,
                "anomalies": found,
            },
        )
    for anomaly in found:
        print(f"{'blocking' if anomaly['blocking'] else 'tolerated'}: {anomaly['reason']}")
    if blocking:
        raise BlockingAnomalies(f"the data must not be trained on: {'; '.join(blocking)}; {if_intended}")
    print(f"anomalies: {len(found)}, none of them blocking: {arguments.output}")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = with_new_names(argv, {"thresholds": "example_validator"})
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
