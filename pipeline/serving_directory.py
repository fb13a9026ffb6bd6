"""The directory that TF Serving reads: a version appears in one step, complete, or not at all.

Each version holds a record that identifies its model. A run that was killed just after publishing and starts again
finds the model there, and publishes nothing twice.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pipeline.model_fingerprint import fingerprint
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_lock import locked
from stargan_tf.base.writing import remove_what_killed_processes_left, whole_directory, write_text

RECORD_FILE = "pushed.json"
_LOCK_FILE = ".push.lock"
_OLD = ".removed_"  # no number, so a server does not take it for a version


class ServingDirectory:
    """Versions of a model, in directories whose names are numbers.

    Args:
        path: the directory; made with the first version.
    """

    def __init__(self, path: Path):
        self.path = path.resolve()

    def versions(self) -> list[int]:
        """Returns the numbers of the versions, rising."""
        children = self.path.iterdir() if self.path.is_dir() else ()
        return sorted(int(child.name) for child in children if child.name.isdigit() and child.is_dir())

    def record(self, version: int) -> dict[str, Any]:
        """Returns the record of a version: `fingerprint`, and `rollback_of`, the version that it repeats or None."""
        path = self.path / str(version) / RECORD_FILE
        if path.is_file():
            return json.loads(path.read_text())
        return {"fingerprint": fingerprint(path.parent), "rollback_of": None}  # stargan_tf.export wrote it

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from publishing; removes what a killed one left half-written.

        Raises:
            UserError: another process is publishing.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        refusal = f"another process is publishing in {str(self.path)!r}; try again later"
        with locked(self.path / _LOCK_FILE, refusal):
            remove_what_killed_processes_left(self.path)
            for child in self.path.glob(f"{_OLD}*"):
                shutil.rmtree(child)
            yield

    def publish(self, model: Path) -> tuple[int, bool]:
        """Makes a model the next version, unless it is a version already; to be called while `locked`.

        Args:
            model: the SavedModel.

        Returns:
            Its version, and whether that is new.
        """
        content = fingerprint(model)
        # Of versions with equal content the newest counts.
        for version in reversed(self.versions()):
            if self.record(version)["fingerprint"] == content:
                return version, False
        return self._add(model, {"fingerprint": content, "rollback_of": None}), True

    def publish_again(self, version: int) -> tuple[int, bool]:
        """Publishes an earlier version as the next one, unless the newest equals it; to be called while `locked`.

        Args:
            version: its number.

        Returns:
            The version with its content, and whether that is new.

        Raises:
            UserError: there is no such version, or it is not as it was published.
        """
        versions = self.versions()
        if version not in versions:
            names = ", ".join(map(str, versions)) or "none"
            raise UserError(f"--rollback is {version}; {str(self.path)!r} has the versions {names}")
        source = self.path / str(version)
        content = fingerprint(source, without=[RECORD_FILE])
        if content != self.record(version)["fingerprint"]:
            raise UserError(f"{str(source)!r} is not as it was published; it cannot be published again")
        if self.record(versions[-1])["fingerprint"] == content:
            return versions[-1], False
        return self._add(source, {"fingerprint": content, "rollback_of": version}), True

    def prune(self, keep: int, needed: Collection[int]) -> list[int]:
        """Removes old versions; to be called while `locked`.

        Args:
            keep: how many of the newest stay, at least 1: a server serves the newest.
            needed: versions that stay in any case.

        Returns:
            Those that were removed.
        """
        removed = [version for version in self.versions()[:-keep] if version not in needed]
        for version in removed:
            # Renamed first: a server must never find a version that is half removed.
            old = self.path / f"{_OLD}{version}"
            (self.path / str(version)).rename(old)
            shutil.rmtree(old)
        return removed

    def _add(self, model: Path, record: dict[str, Any]) -> int:
        """Copies a model beside the versions, and renames it to the next number when all of it is on the disk."""
        version = max(self.versions(), default=0) + 1
        with whole_directory(self.path / str(version)) as new:
            shutil.copytree(model, new, dirs_exist_ok=True)
            write_text(new / RECORD_FILE, json.dumps(record) + "\n")
            for path in [new, *new.rglob("*")]:
                _synchronize(path)
        _synchronize(self.path)
        return version


def _synchronize(path: Path) -> None:
    """Waits until the content of a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
