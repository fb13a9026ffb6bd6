"""What may be given where a command asks for a run: its directory, a packed run, or the name of a shipped one."""

import contextlib
import hashlib
from importlib import resources
from pathlib import Path

from stargan_tf.base import cache_directory, command_line, files
from stargan_tf.base.writing import OccupiedError
from stargan_tf.runs import remote_run, run_directory

# Packed runs that the package brings; the files lie in `stargan_tf/shipped/` with their licence.
SHIPPED = ("leaves",)

_ENDING = ".npz"
_TAKEN_FIRST = (run_directory.CONFIG_FILE, "saved_model.pb", "*/saved_model.pb")


def is_shipped(name: str) -> bool:
    """Returns whether a name is that of a shipped run; a run or an exported model that has that path is taken first."""
    return name in SHIPPED and not any(path for pattern in _TAKEN_FIRST for path in Path(name).glob(pattern))


def find(name: str, checkpoint: str | None = "latest") -> Path:
    """Finds a run; a packed one becomes a directory among the user's caches, once, which takes seconds.

    Args:
        name: directory of a run, file of a packed one, both local or on a store, or the name of a shipped one.
        checkpoint: which one of a run on a store is brought here: `latest`, `best`, or None for none.

    Returns:
        The run's directory, which may be missing if the name is a path.

    Raises:
        UserError: a packed run is damaged, or cannot be unpacked for want of space; see also `remote_run.bring`.
    """
    path = Path(name)
    if path.suffix == _ENDING and (files.is_remote(name) or path.is_file()):
        content = files.read(name)
    elif files.is_remote(name):
        return remote_run.bring(name, checkpoint)
    elif is_shipped(name):
        content = (resources.files("stargan_tf") / "shipped" / f"{name}{_ENDING}").read_bytes()
    else:
        return path
    run = cache_directory.default() / "runs" / hashlib.sha256(content).hexdigest()[:12] / path.stem
    if not run_directory.is_run(run):
        with command_line.quiet_start():
            from stargan_tf.runs.packed import unpack
        with contextlib.suppress(OccupiedError):  # another process was sooner
            unpack(content, name, run)
    return run
