"""The manifest of a data directory: its files with their hashes, and how images were prepared."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from stargan_tf.base import files
from stargan_tf.base.command_line import from_values
from stargan_tf.base.errors import RefusedError, UserError
from stargan_tf.config.images import ImageConfig

MANIFEST_FILE = "manifest.json"

_CHUNK = 1 << 20


def write_manifest(directory: str, shards: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
    """Writes the manifest, the last file of a data directory.

    Args:
        directory: the data directory, otherwise complete.
        shards: by name of the file `sha256`, `bytes` and `examples` of every shard, which is not read again.
        settings: how images were prepared; the same input and settings give the same manifest.
    """
    entries = {}
    for name in sorted(files.list_files(directory)):
        if name in shards:
            entries[name] = dict(shards[name])
        else:
            sha256, size = hash_file(files.join(directory, name))
            entries[name] = {"sha256": sha256, "bytes": size}
    content = json.dumps({"settings": settings, "files": entries}, indent=1, ensure_ascii=False, sort_keys=True)
    files.write(files.join(directory, MANIFEST_FILE), f"{content}\n".encode())


def read_manifest(directory: str) -> dict[str, Any]:
    """Reads the manifest of a data directory.

    Args:
        directory: the data directory.

    Returns:
        `settings` and `files`, as `write_manifest` wrote them.

    Raises:
        UserError: the directory or its manifest does not exist, or the manifest is damaged.
    """
    path = files.join(directory, MANIFEST_FILE)
    if not files.exists(path):
        raise UserError(f"{directory} has no {MANIFEST_FILE}; data_prep.images_to_tfrecords makes directories with one")
    try:
        manifest = json.loads(files.read(path))
        return {"settings": manifest["settings"], "files": manifest["files"]}
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"{path} is damaged: {error}") from error


def listed_files(directory: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns what the manifest of a data directory says of each file; nothing where there is no manifest.

    Raises:
        UserError: the manifest is damaged.
    """
    path = files.join(directory, MANIFEST_FILE)
    if not files.exists(path):
        return {}
    listed = read_manifest(directory)["files"]
    if not isinstance(listed, dict) or not all(isinstance(entry, dict) for entry in listed.values()):
        raise RefusedError(f"{path} is damaged: it lists no files")
    return listed


def prepared_image_config(directory: str) -> ImageConfig:
    """Tells how the images of a data directory were prepared, as far as it is recorded.

    Args:
        directory: the data directory; other programs make ones without a manifest.

    Returns:
        None for what is not recorded.

    Raises:
        UserError: the manifest is damaged, or has a value that this version does not know.
    """
    path = files.join(directory, MANIFEST_FILE)
    if not files.exists(path):
        return ImageConfig()
    settings = read_manifest(directory)["settings"]
    recorded = {field.name: settings[field.name] for field in fields(ImageConfig) if field.name in settings}
    return from_values(ImageConfig, recorded, path)


def hash_file(path: str) -> tuple[str, int]:
    """Returns SHA-256 and size of a file."""
    whole, size = hashlib.sha256(), 0
    with files.open_file(path) as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
            size += len(chunk)
    return whole.hexdigest(), size
