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
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.file_lock import locked
from stargan_tf.base.writing import WriteError, remove_what_killed_processes_left, whole_directory, write_text

RECORD_FILE = "pushed.json"
_LOCK_FILE = ".push.lock"
_OLD = ".removed_"  # no number, so a server does not take it for a version


def check_local(directory: str, name: str) -> None:
    """Refuses a serving directory on a store, where no version appears in one step.

    Args:
        directory: that TF Serving reads.
        name: of the flag or field, for the error.

    Raises:
        UserError: it is on a store.
    """
    if files.is_remote(directory):
        raise UserError(
            f"{name} is {directory}; it must be a local or mounted directory, since TF Serving takes a version for "
            "whole as soon as it sees its number; copy a version from there to a store in this order: all its files "
            "but saved_model.pb, then saved_model.pb, then serving/models.config"
        )


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

    def newest(self) -> int | None:
        """Returns the version that a server takes, None if there is none."""
        return max(self.versions(), default=None)

    def record(self, version: int) -> dict[str, Any]:
        """Returns the record of a version.

        Returns:
            `fingerprint`; `rollback_of`, the version that it repeats or None; and `withdrawn`, the fingerprints of
            models that were rolled back from, and must not come back by themselves.
        """
        path = self.path / str(version) / RECORD_FILE
        if path.is_file():
            record = json.loads(path.read_text())
        else:
            record = {"fingerprint": fingerprint(path.parent), "rollback_of": None}  # stargan_tf.export wrote it
        if "withdrawn" not in record:  # as earlier versions of this project wrote it
            record["withdrawn"] = self._between(record["rollback_of"], version, record["fingerprint"])
        return record

    def is_whole(self, version: int) -> bool:
        """Returns whether a version is as it was published."""
        content = fingerprint(self.path / str(version), without=[RECORD_FILE])
        return content == self.record(version)["fingerprint"]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from publishing; removes what a killed one left half-written.

        Raises:
            UserError: another process is publishing, or the directory cannot be written.
        """
        refusal = f"another process is publishing in {str(self.path)!r}; try again later"
        with contextlib.ExitStack() as stack:
            with self._writing():
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.path / _LOCK_FILE, refusal))
                remove_what_killed_processes_left(self.path)
                for child in self.path.glob(f"{_OLD}*"):
                    shutil.rmtree(child)
            yield

    def publish(self, model: Path) -> int | None:
        """Makes a model the next version, unless it is the newest or was rolled back from; to be called while `locked`.

        Args:
            model: the SavedModel.

        Returns:
            Its version if it was published, else None.

        Raises:
            UserError: it cannot be written.
        """
        content, newest = fingerprint(model), self.newest()
        if newest is None:
            return self._add(1, model, {"fingerprint": content, "rollback_of": None, "withdrawn": []})
        record = self.record(newest)
        if content in record["withdrawn"] or (content == record["fingerprint"] and self.is_whole(newest)):
            return None
        return self._add(newest + 1, model, record | {"fingerprint": content, "rollback_of": None})

    def publish_again(self, version: int) -> tuple[int, bool]:
        """Publishes an earlier version as the next one, unless the newest equals it; to be called while `locked`.

        Args:
            version: its number.

        Returns:
            The version with its content, and whether that is new.

        Raises:
            UserError: there is no such version, it is not as it was published, or it cannot be written.
        """
        versions = self.versions()
        if version not in versions:
            names = ", ".join(map(str, versions)) or "none"
            raise UserError(f"--rollback is {version}; {str(self.path)!r} has the versions {names}")
        source = self.path / str(version)
        content = fingerprint(source, without=[RECORD_FILE])
        if content != self.record(version)["fingerprint"]:
            raise UserError(f"{str(source)!r} is not as it was published; it cannot be published again")
        newest = versions[-1]
        if self.record(newest)["fingerprint"] == content:
            return newest, False
        withdrawn = {*self.record(newest)["withdrawn"], *self._between(version, newest + 1, content)} - {content}
        record = {"fingerprint": content, "rollback_of": version, "withdrawn": sorted(withdrawn)}
        return self._add(newest + 1, source, record), True

    def put_back(self, version: int, model: Path, record: dict[str, Any]) -> int:
        """Writes a version that is lost; to be called while `locked`.

        Args:
            version: its number. Where another content stands below it, it becomes the next one: a number never means
                two models.
            model: its SavedModel.
            record: its record.

        Returns:
            The number that it has now.
        """
        if version in self.versions():
            newest = max(self.versions())
            return self._add(newest + 1, model, record | {"rollback_of": version})
        return self._add(version, model, record)

    def prune(self, keep: int, needed: Collection[int]) -> list[int]:
        """Removes old versions; to be called while `locked`.

        Args:
            keep: how many of the newest stay, at least 1: a server serves the newest.
            needed: versions that stay in any case.

        Returns:
            Those that were removed.

        Raises:
            UserError: one cannot be removed.
        """
        removed = [version for version in self.versions()[:-keep] if version not in needed]
        for version in removed:
            # Renamed first: a server must never find a version that is half removed.
            old = self.path / f"{_OLD}{version}"
            with self._writing():
                (self.path / str(version)).rename(old)
                shutil.rmtree(old)
        return removed

    def _between(self, repeated: int | None, version: int, content: str) -> list[str]:
        """Fingerprints of the versions between one and the one that repeats it: those that were rolled back from."""
        if repeated is None:
            return []
        between = (number for number in self.versions() if repeated < number < version)
        return sorted({self.record(number)["fingerprint"] for number in between} - {content})

    def _add(self, version: int, model: Path, record: dict[str, Any]) -> int:
        """Copies a model beside the versions, and renames it to its number when all of it is on the disk."""
        with self._writing(), whole_directory(self.path / str(version)) as new:
            shutil.copytree(model, new, dirs_exist_ok=True)
            write_text(new / RECORD_FILE, json.dumps(record) + "\n")
            for path in [new, *new.rglob("*")]:
                _synchronize(path)
        _synchronize(self.path)
        return version

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Tells in one sentence that the directory cannot be written, and why."""
        try:
            yield
        except (OSError, WriteError) as error:
            raise WriteError(self.path, error) from error


def _synchronize(path: Path) -> None:
    """Waits until the content of a file, or the entries of a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
