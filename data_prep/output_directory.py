"""A directory that appears complete or not at all, on any file system that fsspec knows."""

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from stargan_tf.base import files
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import is_occupied, whole_directory


def check_output(output: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Refuses an output directory that holds something already.

    Args:
        output: the directory to be written.
        overwrite: whether what is there may be replaced.

    Raises:
        UserError: `output` is a file, or a directory with something in it that may not be replaced.
    """
    output = os.fspath(output)
    if not files.is_remote(output) and Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output {output} is a file; name a directory that is new or empty")
    occupied = files.is_folder(output) if files.is_remote(output) else is_occupied(Path(output))
    if occupied and not overwrite:
        raise UserError(f"--output {output} exists and is not empty; remove it or name another directory")


@contextlib.contextmanager
def complete_or_absent(output: str, overwrite: bool = False, last: Sequence[str] = ()) -> Iterator[str]:
    """Gives a temporary directory beside the output, which becomes the output when the block ends without an exception.

    A local one is a `whole_directory`. A store has no directories to be renamed, so files are renamed one by one, those
    in `last` at the end; of an output that is replaced, they are deleted first. A reader that needs them never sees
    half of one and half of the other.

    Args:
        output: the directory to be written.
        overwrite: whether what is there is replaced.
        last: names of files without which nobody takes the directory for complete.

    Yields:
        Path of the temporary directory, without a slash at the end. After an exception its files are deleted.

    Raises:
        UserError: as `check_output`.
    """
    if not files.is_remote(output):
        with whole_directory(output, overwrite) as directory:
            yield str(directory)
        return
    output = output.rstrip("/")
    check_output(output, overwrite)
    partial = f"{output}.partial-{uuid.uuid4().hex[:8]}"
    try:
        yield partial
        check_output(output, overwrite)
        old = sorted(files.list_files(output), key=lambda name: name not in last)
        for name in old:
            files.delete([files.join(output, name)])
        for name in sorted(files.list_files(partial), key=lambda name: name in last):
            files.rename(files.join(partial, name), files.join(output, name))
    finally:
        files.delete_folder(partial)
