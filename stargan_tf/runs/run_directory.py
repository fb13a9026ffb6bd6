"""A run directory: everything that belongs to one training run.

config.yaml  checkpoints/  logs/ (TensorBoard)  samples/  evaluation/  metrics.jsonl
data.jsonl (what it was trained on)  events.jsonl (what went wrong and was mended)
face_network.npz (with the high-pass skip)
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stargan_tf import config as configuration
from stargan_tf.base.errors import UserError
from stargan_tf.config import Config

CONFIG_FILE = "config.yaml"
FACE_NETWORK_FILE = "face_network.npz"
DATA_FILE = "data.jsonl"
METRICS_FILE = "metrics.jsonl"
KNOWN_FACTORS_FILE = "known_factors.json"
LOGS = "logs"
EVENTS_FILE = "events.jsonl"


def is_occupied(path: Path) -> bool:
    """Returns whether something is there that a command must not write over: a file, or a directory with content."""
    return path.exists() and (not path.is_dir() or any(path.iterdir()))


def is_run(run: Path) -> bool:
    """Returns whether a directory is a run directory."""
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
    """Starts a run directory, or checks that one goes on as it began; nothing in it is changed but the configuration.

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
    run.mkdir(parents=True, exist_ok=True)
    # Renamed when complete: a crash must not leave half a configuration.
    temporary = run / (CONFIG_FILE + ".new")
    configuration.save(config, temporary)
    temporary.replace(run / CONFIG_FILE)


def record_data(run: Path, entry: Mapping[str, Any]) -> None:
    """Notes which data a run is trained on, unless that is what was noted last.

    Args:
        run: the run directory.
        entry: facts about the data, with its `fingerprint` and the `step` from which it is used.
    """
    past = recorded_data(run)
    if not past or past[-1]["fingerprint"] != entry["fingerprint"]:
        with (run / DATA_FILE).open("a") as file:
            file.write(json.dumps(entry) + "\n")


def cut_metrics(run: Path, step: int) -> None:
    """Removes measurements of steps after `step`, which a run that goes on from there makes again, and torn lines.

    Args:
        run: the run directory.
        step: number of steps that are finished.
    """
    path = run / METRICS_FILE
    if not path.is_file():
        return
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _step_of(line) <= step]
    if len(kept) < len(lines):
        temporary = run / (METRICS_FILE + ".new")
        temporary.write_text("".join(kept))
        temporary.replace(path)


def record_event(run: Path, entry: Mapping[str, Any]) -> None:
    """Notes something that happened to a run, with its `event`, `step` and `time`."""
    with (run / EVENTS_FILE).open("a") as file:
        file.write(json.dumps(entry) + "\n")


def _step_of(line: str) -> float:
    """Returns the step of a line of measurements; of one that is torn, infinity."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf


def recorded_data(run: Path) -> list[dict[str, Any]]:
    """Returns what `record_data` noted, oldest first; of a converted run, which knows nothing of its data, nothing."""
    path = run / DATA_FILE
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
