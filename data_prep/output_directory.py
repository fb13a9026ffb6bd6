"""A directory that appears complete or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from stargan_tf.errors import UserError


def check_output(output: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Refuses an output directory that holds something already.

    Args:
        output: the directory to be written.
        overwrite: whether what is there may be replaced.

    Raises:
        UserError: `output` is a file, or a directory with something in it that may not be replaced.
    """
    output = Path(output)
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file; name a directory that is new or empty")
    if output.is_dir() and not overwrite and any(output.iterdir()):
        raise UserError(f"--output {output} exists and is not empty; remove it or name another directory")


@contextlib.contextmanager
def complete_or_absent(output: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary directory beside the output, which becomes the output when the block ends without an exception.

    Args:
        output: the directory to be written; its parents are made where missing.
        overwrite: whether a directory that is there is replaced. It stays untouched until the new one is complete.

    Yields:
        The temporary directory. After an exception it is removed.

    Raises:
        UserError: as `check_output`.
    """
    output = Path(output).absolute()
    check_output(output, overwrite)
    # A sibling, because a rename is atomic only within one file system.
    partial = output.with_name(f".{output.name}.partial-{os.getpid()}")
    replaced = output.with_name(f".{output.name}.replaced-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        check_output(output, overwrite)  # Again: the work between may have taken hours.
        if output.exists():
            output.rename(replaced)
        try:
            partial.rename(output)
        except OSError:
            if replaced.exists():
                replaced.rename(output)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
