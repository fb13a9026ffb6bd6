"""The output directory of a job, which the same command finds again after any interruption."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.output_directory import check_output
from data_prep.sources import SourceImage
from data_prep.translation.results import IMAGES_FOLDER, SHARDS_FOLDER
from data_prep.translation.styles import Style
from stargan_tf.base import file_lock, files
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.base.writing import is_temporary
from stargan_tf.data.manifest import MANIFEST_FILE

JOB_FILE = "job.json"  # what is asked for, from the start on
STYLES_FILE = "styles.json"  # with their codes
_LOCK_FILE = ".lock"
_KIND = "data_prep.translate_images"  # by which a job of ours is known

_HASH_BYTES = 16


class InputHash:
    """A hash of all images of an input, whatever order they are listed in: of names, sizes and times, not of contents.

    Args:
        work: the folder of copies that are made anew each time, whose times mean nothing.
    """

    def __init__(self, work: str):
        self._work, self._sum, self._count = work, 0, 0

    def add(self, image: SourceImage) -> None:
        """Adds an image, or a file of many."""
        place = image.location
        known = [image.key, place.packing, place.offset, place.size, place.checksum]
        if not files.is_remote(place.path) and not place.path.startswith(self._work):
            known += _state(place.path)
        digest = hashlib.blake2b(json.dumps(known).encode(), digest_size=_HASH_BYTES).digest()
        self._sum = (self._sum + int.from_bytes(digest, "big")) % 256**_HASH_BYTES
        self._count += 1

    def result(self) -> str:
        """Returns the hash of all that were added."""
        return f"{self._count}-{self._sum:0{2 * _HASH_BYTES}x}"


@lru_cache(maxsize=1)  # an archive is asked for again and again
def _state(path: str) -> list[int]:
    try:
        state = Path(path).stat()
    except OSError:  # which the job will tell
        return []
    return [state.st_size, state.st_mtime_ns]


def check_job(output: str, settings: Mapping[str, Any]) -> None:
    """Refuses a directory that holds something else, or the beginnings of another job.

    Args:
        output: the directory.
        settings: all that decides what is written; a part of it is enough.

    Raises:
        UserError: it holds files of another kind, or a job that was begun with other settings.
    """
    if (begun := _begun(output)) is None:
        check_output(output)
    elif "input" in begun and (differing := [name for name in settings if begun.get(name) != settings[name]]):
        raise UserError(
            f"--output {output} holds a job that was begun with other {', '.join(differing)} ({JOB_FILE} has them); "
            "give the same to go on, or name another directory"
        )


@contextlib.contextmanager
def begun_job(output: str) -> Iterator[str]:
    """Keeps other processes out of a directory while a block works in it.

    Args:
        output: the directory, checked; it is made.

    Yields:
        A folder for temporary files, empty; it is removed afterwards, unless the process is killed.

    Raises:
        TryAgainError: another process works in it.
    """
    work = files.join(output, "work")
    with contextlib.ExitStack() as stack:
        if _begun(output) is None:
            _write(output, {})  # so that the directory is known again
        if not files.is_remote(output):
            with contextlib.suppress(file_lock.NoLocksError):  # where there are none, nobody can be kept out
                lock = file_lock.acquire(Path(output) / _LOCK_FILE)
                if lock is None:
                    raise TryAgainError(f"another process writes to --output {output}; wait until it has ended")
                stack.enter_context(lock)
            _remove_temporary_files(Path(output))
        with contextlib.suppress(FileNotFoundError):
            files.delete_folder(work)
        if not files.is_remote(output):
            Path(work).mkdir()
        try:
            yield work
        finally:
            with contextlib.suppress(OSError):
                files.delete_folder(work)


def _remove_temporary_files(output: Path) -> None:
    """Removes what killed workers left of single files."""
    for folder in (IMAGES_FOLDER, SHARDS_FOLDER, "data"):
        for path in (output / folder).rglob("*.partial-*"):
            if is_temporary(path) or files.is_partial(path.name):
                path.unlink()


def write_job(output: str, settings: Mapping[str, Any]) -> str:
    """Writes down what is asked for.

    Args:
        output: the directory.
        settings: all that decides what is written, the input among it.

    Returns:
        The fingerprint of the job, which every finished shard names.
    """
    if files.exists(manifest := files.join(output, MANIFEST_FILE)):
        files.delete([manifest])  # until all is looked at again
    _write(output, settings)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _write(output: str, settings: Mapping[str, Any]) -> None:
    text = json.dumps({"job": _KIND, **settings}, indent=1, ensure_ascii=False)
    files.write(files.join(output, JOB_FILE), f"{text}\n".encode())


def _begun(output: str) -> dict[str, Any] | None:
    """What a job was asked for that was begun in a directory; None where there is none."""
    begun = _read(output, JOB_FILE)
    return begun if begun and begun.get("job") == _KIND else None


def read_codes(output: str, fingerprint: str) -> np.ndarray | None:
    """Returns the style codes [S, style_dim] that a job was begun with; None where it was not."""
    found = _read(output, STYLES_FILE)
    if found is None or found.get("fingerprint") != fingerprint:
        return None
    return np.array([style["code"] for style in found["styles"]], np.float32)


def write_codes(output: str, fingerprint: str, styles: list[Style], codes: np.ndarray) -> None:
    """Writes the styles with their codes, one on a line."""
    lines = [
        json.dumps({"domain": style.domain, "name": style.name, **style.origin, "code": code.tolist()})
        for style, code in zip(styles, codes, strict=True)
    ]
    text = f'{{"fingerprint": "{fingerprint}", "styles": [\n' + ",\n".join(lines) + "\n]}\n"
    files.write(files.join(output, STYLES_FILE), text.encode())


def _read(output: str, name: str) -> dict[str, Any] | None:
    """A file of JSON; None where there is none that can be read."""
    try:
        found = json.loads(files.read(files.join(output, name)))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
