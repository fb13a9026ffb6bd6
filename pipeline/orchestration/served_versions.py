"""All versions that were ever seen in the serving directory: what was served last is put back where it is missing.

They stand in a file of the root, since the serving directory may be moved away, and ML Metadata knows no roll-backs.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.serving_directory import ServingDirectory
from stargan_tf.base.writing import write_json
from stargan_tf.serving import deployment

FILE = "served.json"


def read(file: Path, directory: Path) -> dict[int, dict[str, Any]]:
    """Reads the versions that were seen.

    Args:
        file: the file in the root.
        directory: the serving directory; what was seen in another does not count.

    Returns:
        The record of each version by its number, see `ServingDirectory.record`.
    """
    if not file.is_file():
        return {}
    seen = json.loads(file.read_text(encoding="utf-8"))
    if seen["directory"] != str(directory.resolve()):
        return {}
    return {int(version): record for version, record in seen["versions"].items()}


def remember(file: Path, serving: ServingDirectory) -> dict[int, dict[str, Any]]:
    """Adds to the file what the directory holds; returns all versions that were ever seen."""
    there = {version: serving.record(version) for version in serving.versions()}
    seen = read(file, serving.path) | there
    versions = {str(version): record for version, record in sorted(seen.items())}
    content = {"directory": str(serving.path), "versions": versions}
    if not file.is_file() or json.loads(file.read_text(encoding="utf-8")) != content:
        write_json(file, content)
    return seen


def put_back_what_is_missing(
    file: Path, directory: Path, find_model: Callable[[str], Path | None], batch_sizes: Callable[[Path], list[int]]
) -> list[str]:
    """Publishes again what was served last, if it is gone or damaged.

    Args:
        file: the file in the root.
        directory: the serving directory.
        find_model: gives the SavedModel with a fingerprint, None if there is none any more.
        batch_sizes: gives the sizes of batches that a SavedModel is warmed up with.

    Returns:
        Sentences about what was done, or could not be done.

    Raises:
        UserError: the directory cannot be written, or another process is publishing.
    """
    serving = ServingDirectory(directory)
    seen = remember(file, serving)
    last, newest = max(seen, default=None), serving.newest()
    if last is None or (newest == last and serving.is_whole(last)):
        return []
    problem = "is missing" if newest != last else "is not as it was published"
    where = serving.path / str(last)
    model = find_model(seen[last]["fingerprint"])
    if model is None:
        return [f"{where} {problem}, and cannot be put back: its artifact is gone, too"]
    with serving.locked():
        version = serving.put_back(last, model, seen[last])
        remember(file, serving)
        sentences = deployment.write(serving.path, serving.path.name, version, batch_sizes(model))
    as_number = "put back" if version == last else f"published again as version {version}"
    return [f"{where} {problem}; it is {as_number}", *sentences]
