"""Reading a data directory again: every file against the manifest, every record and every image."""

from collections.abc import Mapping
from typing import Any

from stargan_tf.base import files, progress
from stargan_tf.base.errors import RefusedError
from stargan_tf.data.decoding import decode_record
from stargan_tf.data.manifest import MANIFEST_FILE, hash_file, read_manifest
from stargan_tf.data.tfrecord import CorruptRecord, read_records


def verify(directory: str) -> None:
    """Checks a data directory against its manifest, and prints how much was read.

    Args:
        directory: the data directory.

    Raises:
        RefusedError: a file is missing, differs from the manifest, is not in it, or has a damaged record or image.
    """
    manifest = read_manifest(directory)
    expected: Mapping[str, Mapping[str, Any]] = manifest["files"]
    there = set(files.list_files(directory)) - {MANIFEST_FILE}
    for name in sorted(expected.keys() - there):
        raise RefusedError(f"{directory} lacks {name}, which its manifest lists")
    for name in sorted(there - expected.keys()):
        raise RefusedError(f"{directory} has {name}, which its manifest does not list")
    num_examples = 0
    for name, entry in progress.each(expected.items(), "verifying", "files"):
        path = files.join(directory, name)
        sha256, size = hash_file(path)
        if size != entry["bytes"] or sha256 != entry["sha256"]:
            raise RefusedError(
                f"{path} is not as it was written: {size} bytes with SHA-256 {sha256[:12]}..., "
                f"where the manifest has {entry['bytes']} bytes with {entry['sha256'][:12]}..."
            )
        if "examples" in entry:
            num_examples += _verify_shard(path, entry["examples"], manifest["settings"])
    print(f"verified: {len(expected)} files, {num_examples} images")


def _verify_shard(path: str, num_examples: int, settings: Mapping[str, Any]) -> int:
    """Reads every record and decodes every image; gives their number."""
    height, width = settings["image_size"]
    count = 0
    with files.open_file(path) as file:
        try:
            for record in read_records(file):
                try:
                    # By the decoder of training, which does not read all that others read.
                    decode_record(memoryview(record), (height, width), settings["encoding"] == "raw")
                except CorruptRecord as error:
                    raise CorruptRecord(f"record {count}: {error}") from None
                count += 1
        except CorruptRecord as error:
            raise RefusedError(f"{path} is damaged: {error}; prepare the data anew") from error
    if count != num_examples:
        raise RefusedError(f"{path} has {count} examples, where the manifest has {num_examples}")
    return count
