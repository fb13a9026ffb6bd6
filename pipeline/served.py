"""What is served, looked up in the directory that a server reads, and why: no record of a run can know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.serving_directory import ServingDirectory


@dataclass(frozen=True)
class Served:
    """What a server that takes the highest number serves.

    Args:
        directory: of the versions.
        version: its number; None if there is none.
        is_whole: whether it is as it was published.
        is_of_run: whether it is the model of the run that asks.
        is_withdrawn: whether the model of the run that asks was rolled back from.
        fingerprint: of the model that was published as this version; empty if there is none.
        why: a sentence.
    """

    directory: str
    version: int | None
    is_whole: bool
    is_of_run: bool
    is_withdrawn: bool
    fingerprint: str
    why: str

    @property
    def path(self) -> str:
        """The directory of the version."""
        return str(Path(self.directory) / str(self.version))

    @property
    def title(self) -> str:
        """Which version is served."""
        return "Nothing is served" if self.version is None else f"Version {self.version} is served"


def look(directory: Path, model: str | None) -> Served:
    """Looks at what is served.

    Args:
        directory: of the versions.
        model: fingerprint of the model of a run; None if the run did not get that far.

    Returns:
        What a server that takes the highest number serves.
    """
    serving = ServingDirectory(directory)
    version = serving.newest()
    if version is None:
        return Served(str(serving.path), None, False, False, False, "", f"{serving.path} holds no version")
    record, is_whole = serving.record(version), serving.is_whole(version)
    is_of_run, is_withdrawn = record["fingerprint"] == model, model in record["withdrawn"]
    why = _why(record, is_of_run, is_withdrawn)
    if not is_whole:
        why = f"{serving.path / str(version)} is not as it was published"
    return Served(str(serving.path), version, is_whole, is_of_run, is_withdrawn, record["fingerprint"], why)


def _why(record: Mapping[str, Any], is_of_run: bool, is_withdrawn: bool) -> str:
    again = f"it repeats version {record['rollback_of']}"
    if is_withdrawn:
        repeats = "" if record["rollback_of"] is None else f"{again}; "
        return f"{repeats}the model of this run was rolled back from, and stays out until --rollback brings it back"
    if is_of_run:
        return "it is the model of this run"
    return "it is a model of an earlier run" if record["rollback_of"] is None else f"{again}, after a roll-back"
