"""A run directory: everything that belongs to one training run.

config.yaml  checkpoints/  logs/ (TensorBoard)  samples/  evaluation/  metrics.jsonl
data.jsonl (the data it was trained on)  events.jsonl (failures and recoveries)
face_network.npz (with the high-pass skip)  known_factors.json (of a run on generated data)
"""

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import check_local, is_occupied, reason, write_bytes, write_errors
from stargan_tf.config import Config

CONFIG_FILE = "config.yaml"
FACE_NETWORK_FILE = "face_network.npz"
DATA_FILE = "data.jsonl"
METRICS_FILE = "metrics.jsonl"
KNOWN_FACTORS_FILE = "known_factors.json"
LOGS = "logs"
EVENTS_FILE = "events.jsonl"


def is_run(run: Path) -> bool:
    """Returns whether a directory is a run directory; raises UserError for the path of a store."""
    check_local(run)
    return (run / CONFIG_FILE).is_file()


def load_config(run: Path) -> Config:
    """Reads a run's configuration.

    Raises:
        UserError: it is not a run directory.
    """
    if not is_run(run):
        raise UserError(f"{str(run)!r} is not a run directory: it has no {CONFIG_FILE}; `stargan_tf.train` makes one")
    return configuration.load(run / CONFIG_FILE)


def open_for_training(run: Path, config: Config) -> None:
    """Starts a run directory, or checks that an existing one may go on; only its configuration is changed.

    Args:
        run: the directory; it may be missing.
        config: resolved.

    Raises:
        UserError: the directory holds something else, or a run with another configuration.
    """
    if is_run(run):
        configuration.check_same_run(load_config(run), config, run)
    elif is_occupied(run):
        raise UserError(f"{str(run)!r} exists and is not a run directory; choose another for --run")
    configuration.save(config, run / CONFIG_FILE)


@contextlib.contextmanager
def writing(run: Path) -> Iterator[None]:
    """Tells in a sentence that a run directory cannot be written; put it around nothing that computes.

    Raises:
        UserError: it cannot: the disk is full, for example.
    """
    try:
        yield
    except write_errors() as error:
        raise UserError(
            f"the run directory {str(run)!r} cannot be written ({reason(error)}); its checkpoints are as they were, "
            "and the same command goes on from the newest"
        ) from error


def record_data(run: Path, entry: Mapping[str, Any]) -> None:
    """Records which data a run is trained on, unless it is what was recorded last.

    Args:
        run: the run directory.
        entry: facts about the data, with its `fingerprint` and the `step` from which it is used.
    """
    past = recorded_data(run)
    if not past or past[-1]["fingerprint"] != entry["fingerprint"]:
        _append(run / DATA_FILE, entry)


def cut_metrics(run: Path, step: int) -> None:
    """Removes incomplete lines and measurements after `step`, which a run that goes on from there makes again.

    Args:
        run: the run directory.
        step: number of finished steps.
    """
    path = run / METRICS_FILE
    lines = _lines(path)
    kept = [line for line in lines if (entry := _entry(line)) is not None and _step_of(entry) <= step]
    if len(kept) < len(lines):
        write_bytes(path, b"".join(kept))


def record_event(run: Path, entry: Mapping[str, Any]) -> None:
    """Records an event of a run, with its `event`, `step` and `time`."""
    _append(run / EVENTS_FILE, entry)


def append_metrics(run: Path, entry: Mapping[str, Any]) -> None:
    """Appends the measurements of a step, with its `step`."""
    _append(run / METRICS_FILE, entry)


def _append(path: Path, entry: Mapping[str, Any]) -> None:
    with writing(path.parent), path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # a full disk or a killed process left part of a line
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(entry).encode() + b"\n")


def recorded_data(run: Path) -> list[dict[str, Any]]:
    """Returns what `record_data` recorded, oldest first; nothing for a converted run, whose data are unknown."""
    return _entries(run / DATA_FILE)


def recorded_events(run: Path) -> list[dict[str, Any]]:
    """Returns what `record_event` recorded, oldest first."""
    return _entries(run / EVENTS_FILE)


def recorded_metrics(run: Path) -> list[dict[str, Any]]:
    """Returns the measurements of training and of evaluations, each with its `step`, in the order they were made."""
    return [entry for entry in _entries(run / METRICS_FILE) if math.isfinite(_step_of(entry))]


def _entries(path: Path) -> list[dict[str, Any]]:
    """Reads a file of entries, one a line; part of a line, which a kill or a full disk leaves, is none."""
    return [entry for line in _lines(path) if (entry := _entry(line)) is not None]


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.is_file() else []


def _entry(line: bytes) -> dict[str, Any] | None:
    """Returns what a line holds; None where it is not whole."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and line.endswith(b"\n") else None


def _step_of(entry: Mapping[str, Any]) -> float:
    """Returns the step of measurements, or infinity if they have none."""
    step = entry.get("step")
    return step if isinstance(step, int | float) else math.inf
