"""Whether the images of a source are the same as before, without reading all of them in every run."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from data_prep.sources.patterns import expand, is_pattern, split_folder
from data_prep.sources.tfds_source import PREFIX as TFDS_PREFIX
from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import write_text
from stargan_tf.data.manifest import hash_file


def fingerprint(place: str, known: Path | None = None) -> str:
    """Hashes the names and contents of all files of a source.

    Args:
        place: a folder or a file, on any file system that fsspec knows; a pattern, as of `data_prep.sources.patterns`;
            or `tfds:NAME`, of which only the name counts.
        known: a file that keeps the hashes of local files; those with the same size, modification time and inode as
            before are not read again. Remote files are identified by what their store says of them and never read.

    Returns:
        16 hexadecimal digits.

    Raises:
        UserError: nothing is there.
    """
    if place.startswith(TFDS_PREFIX):
        return hashlib.sha256(place.encode()).hexdigest()[:16]
    if is_pattern(place) and not files.exists(place):
        folder, names = split_folder(expand(place))
    else:
        folder, names = place, None
    if files.is_remote(place):
        paths = [place] if names is None else [files.join(folder, name) for name in names]
        states = {path: state for one in paths for path, state in files.remote_states(one).items()}
    else:
        states = _local_contents(folder, names, known)
    if not states:
        raise UserError(f"example_gen.input {place} does not exist, or is empty")
    whole = hashlib.sha256()
    for name, state in sorted(states.items()):
        whole.update(f"{state}  {name}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()[:16]


def _local_contents(place: str, names: Iterable[str] | None, known: Path | None) -> dict[str, str]:
    """The hash of each file: those of some names in a folder, or else all of a folder, or a file."""
    remembered = _read(known)
    if names is None:
        names = files.list_files(place) if files.is_folder(place) else [""]
    found: dict[str, tuple[list[int], str]] = {}
    for name in names:
        path = files.join(place, name) if name else place
        try:
            stat = os.stat(path)  # noqa: PTH116  # names of files need not be valid text
        except OSError:
            continue  # a broken link, for instance, which the job reports
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        before = remembered.get(path)
        if before is not None and before[0] == state:
            found[path] = before
            continue
        try:
            found[path] = (state, hash_file(path)[0])
        except OSError:
            found[path] = (state, "unreadable")
    if known is not None and found != remembered:
        write_text(known, json.dumps(found))
    return {path.removeprefix(place): content for path, (_, content) in found.items()}


def _read(known: Path | None) -> Mapping[str, tuple[list[int], str]]:
    if known is None or not known.is_file():
        return {}
    try:
        return {path: (state, content) for path, (state, content) in json.loads(known.read_text()).items()}
    except (ValueError, TypeError):
        return {}  # everything is read again
