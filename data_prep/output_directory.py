"""A directory that appears complete or not at all, on any file system that Beam knows."""

import contextlib
import ctypes
import os
import shutil
import socket
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep import files
from stargan_tf.base.errors import UserError

# Numbers of the Linux kernel's interface (fcntl.h, stdio.h).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


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
    occupied = (
        files.is_folder(output) if files.is_remote(output) else Path(output).is_dir() and any(Path(output).iterdir())
    )
    if occupied and not overwrite:
        raise UserError(f"--output {output} exists and is not empty; remove it or name another directory")


@contextlib.contextmanager
def complete_or_absent(output: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Gives a temporary directory beside the output, which becomes the output when the block ends without an exception.

    Args:
        output: the local directory to be written; its parents are made where missing.
        overwrite: whether a directory that is there is replaced. It stays untouched until the new one is complete.

    Yields:
        The temporary directory. After an exception it is removed; after a killed process, by the next one.

    Raises:
        UserError: as `check_output`.
    """
    output = Path(output).absolute()
    _clean_up_after_killed(output)
    check_output(output, overwrite)
    # A sibling, because a rename is atomic only within one file system.
    partial = output.with_name(f".{output.name}.partial-{_process_name()}")
    partial.mkdir(parents=True)
    try:
        yield partial
        check_output(output, overwrite)  # Again: the work between may have taken hours.
        _put_in_place(partial, output)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # After an exchange, this is what was replaced.


@contextlib.contextmanager
def complete_or_absent_anywhere(output: str, overwrite: bool = False, last: Sequence[str] = ()) -> Iterator[str]:
    """Does the same as `complete_or_absent` on any file system that Beam knows.

    Elsewhere than on a local file system, a directory cannot be renamed everywhere: gs:// and s3:// have none. So files
    are renamed one by one, those in `last` at the end; of an output that is replaced, they are deleted first. A reader
    that needs them never sees half of one and half of the other.

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
        with complete_or_absent(output, overwrite) as directory:
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


def _process_name() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


def _clean_up_after_killed(output: Path) -> None:
    """Removes temporary directories of processes of this machine that are no more; puts back what they moved away."""
    for left in output.parent.glob(f".{output.name}.*-{socket.gethostname()}-*"):
        kind, process = left.name.removeprefix(f".{output.name}.").partition("-")[0], left.name.rpartition("-")[2]
        if kind not in ("partial", "replaced") or not process.isdigit() or Path(f"/proc/{process}").exists():
            continue
        if kind == "replaced" and not output.exists():
            left.rename(output)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _put_in_place(partial: Path, output: Path) -> None:
    """Makes one directory the other, which may be there already."""
    if not output.exists() or not any(output.iterdir()):
        partial.rename(output)  # Replaces an empty directory.
    elif not _exchange(partial, output):
        # For a moment there is neither; whoever is killed in it leaves the old one to `_clean_up_after_killed`.
        replaced = output.with_name(f".{output.name}.replaced-{_process_name()}")
        output.rename(replaced)
        try:
            partial.rename(output)
        except OSError:
            replaced.rename(output)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two directories in one step, where the system can; tells whether it could."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2  # Linux, man 2 rename.
    except AttributeError:
        return False
    return renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0
