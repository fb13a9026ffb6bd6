"""A run directory: everything that belongs to one training run.

config.yaml  checkpoints/  logs/ (TensorBoard)  samples/  evaluation/  metrics.jsonl
data.jsonl (the data it was trained on)  events.jsonl (failures, recoveries, other settings, faults)
face_network.npz (with the high-pass skip)  known_factors.json (of a run on generated data)
photographs.json  photographs_failures.png (of a run that was measured on photographs)
licence.txt (where the licence of its images is that of the run as well: its name; after a line, whose work they are)
"""

import contextlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import check_local, is_occupied, reason, write_bytes, write_errors
from stargan_tf.config import Changes, Config

CONFIG_FILE = "config.yaml"
FACE_NETWORK_FILE = "face_network.npz"
DATA_FILE = "data.jsonl"
METRICS_FILE = "metrics.jsonl"
KNOWN_FACTORS_FILE = "known_factors.json"
LICENCE_FILE = "licence.txt"
PHOTOGRAPHS_FILE = "photographs.json"
FAILURES_FILE = "photographs_failures.png"
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


def licence(run: Path) -> tuple[str | None, str | None]:
    """Returns the name of a run's licence, and whose work it was made of; None for each that the run does not tell."""
    path = run / LICENCE_FILE
    name, _, attribution = path.read_text().strip().partition("\n") if path.is_file() else ("", "", "")
    return name or None, " ".join(attribution.split()) or None


def check_face_network(run: Path, config: Config) -> None:
    """Checks that a run has the face network that its model needs.

    Raises:
        UserError: it has none.
    """
    if config.model.needs_face_network and not (run / FACE_NETWORK_FILE).is_file():
        raise UserError(
            f"the run {str(run)!r} has a high-pass skip but no {FACE_NETWORK_FILE}, so it cannot find the masks of "
            "faces; copy that file from the directory it was trained or converted in"
        )


def open_for_training(run: Path, config: Config, allow_changes: bool = False, step: int = 0) -> Changes:
    """Starts a run directory, or checks that an existing one may go on; only its configuration is changed.

    Args:
        run: the directory; it may be missing.
        config: resolved.
        allow_changes: whether settings that are the same for all of a run, unless asked for, may change. This is noted.
        step: of the run's newest checkpoint.

    Returns:
        What changes.

    Raises:
        UserError: the directory holds something else, or a run with another configuration.
    """
    changes: Changes = {}
    if is_run(run):
        changes = configuration.check_same_run(load_config(run), config, run, allow_changes)
    elif is_occupied(run):
        raise UserError(f"{str(run)!r} exists and is not a run directory; choose another for --run")
    for name, (before, now) in changes.items():  # first, since only events say that checkpoints may have other settings
        entry = {"event": "other setting", "time": time.time(), "step": step}
        record_event(run, entry | {"setting": name, "before": before, "now": now})
    configuration.save(config, run / CONFIG_FILE)
    return changes


def changed_settings(run: Path) -> set[str]:
    """Returns the dotted names of the settings that were changed when the run went on."""
    return {entry["setting"] for entry in recorded_events(run) if "setting" in entry}


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


def record_data(run: Path, entry: Mapping[str, Any]) -> str | None:
    """Records which data a run is trained on, unless it is what was recorded last.

    Args:
        run: the run directory.
        entry: facts about the data, with its `path`, its `fingerprint` and the `step` from which it is used.

    Returns:
        A sentence for the user if the run goes on with other data than before.
    """
    past = recorded_data(run)
    if past and past[-1]["fingerprint"] == entry["fingerprint"]:
        return None
    _append(run / DATA_FILE, entry)
    if not past:
        return None
    last = past[-1]
    return (
        f"note: from step {entry['step']} on the run is trained on other data, {entry['path']} (fingerprint "
        f"{entry['fingerprint'][:12]}); before, it was {last.get('path')} ({last['fingerprint'][:12]})"
    )


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
