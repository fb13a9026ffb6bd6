"""A run on a store: a local folder stands for it, in which everything else reads and writes as in any run.

What is whole here is whole there at any moment: of a checkpoint the data go up before the index, without which they are
no checkpoint, and what is pruned goes after that. A run that was killed at any moment goes on from there.
"""

import contextlib
import hashlib
import json
import os
import re
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stargan_tf.base import files, stand_ins, writing
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.base.files import Known
from stargan_tf.runs import best_checkpoint, checkpoint_files, run_directory

# The order in which files go up; what comes before stands for nothing without what follows.
_ORDER = (
    re.escape(run_directory.EVENTS_FILE),  # says that checkpoints may have other settings than the configuration
    re.escape(run_directory.CONFIG_FILE),
    r"(?!checkpoints/|metrics\.jsonl$).*",
    r"checkpoints/(step-\d+\.data-|best-|damaged-).*",
    r"checkpoints/best\.json",
    re.escape(run_directory.METRICS_FILE),  # says that an evaluation is finished
    r"checkpoints/step-\d+\.index",
    r".*",  # checkpoints/checkpoint
)

_BEST = f"{checkpoint_files.DIRECTORY}/{best_checkpoint.RECORD}"

# Who trains; its name begins with a dot, so that it is part of no run.
_WRITER = ".writer.json"

# How often a run is read again that training changes meanwhile.
_TRIES = 5

# What readers of a run do without; training does without samples only.
_NOT_READ = re.compile(rf"({run_directory.LOGS}|samples|checkpoints|evaluation/work)/")
_NOT_TRAINED_ON = re.compile(r"samples/")


class _Copy:
    """A local folder that stands for a run on a store.

    Args:
        address: of the run.
        folder: empty.
    """

    def __init__(self, address: str, folder: Path):
        self.address, self.folder = address, folder
        self._known: dict[str, Known] = {}  # what the store had of the files that were fetched
        self._stamps: dict[str, tuple[int, ...] | None] = {}  # of the local files, as they are in the store
        self._writer: str | None = None
        self._gives_up = False
        stand_ins.add(folder, address)

    def pull(self, choose: Callable[[Mapping[str, Known]], set[str]]) -> None:
        """Fetches what is not here as it is in the store.

        Args:
            choose: of the files that the store has those that are wanted.

        Raises:
            TryAgainError: they change all the time, or the store cannot be reached.
        """
        for _ in range(_TRIES):
            found = files.find(self.address)
            try:
                wanted = choose(found)
                new = [name for name in sorted(wanted) if self._known.get(name) != found[name]]
                for name in new:
                    self._fetch(name, found[name])
            except FileNotFoundError:  # pruned meanwhile
                continue
            now = files.find(self.address) if new else found
            if all(now.get(name) == found[name] for name in wanted if name.startswith(checkpoint_files.DIRECTORY)):
                break
        else:
            raise TryAgainError(f"{self.address} changes while it is read; give the same command again later")
        for name in self._known.keys() - found.keys():
            (self.folder / name).unlink(missing_ok=True)
            del self._known[name]
            self._stamps.pop(name, None)

    def answer_for(self, names: set[str]) -> None:
        """Takes files of the store, which are not fetched, for ones that are gone here: they are deleted there."""
        self._stamps |= dict.fromkeys(names)

    def push(self, trains: bool) -> None:
        """Brings the store to what the folder is.

        Args:
            trains: whether this process trains the run, which only one may.

        Raises:
            TryAgainError: the store cannot be reached; the folder is kept, and named.
            UserError: the store does not want it, likewise; or another process trains the run.
        """
        if self._gives_up:
            return
        try:
            if trains:
                self._check_only_one()
            self._upload()
        except _OtherTraining:
            self._gives_up = True
            raise
        except (OSError, UserError) as error:
            self._gives_up = True
            kept = self._keep()
            kind = TryAgainError if isinstance(error, TryAgainError) else UserError
            told = error if isinstance(error, UserError) else f"{error.filename} cannot be written: {error.strerror}"
            left = f"what was measured is in {str(kept)!r}"
            if trains:
                left = f"the run is in {str(kept)!r}; the same command goes on from the last checkpoint in the store"
            raise kind(f"{told}; {left}") from error

    @property
    def has_pushed(self) -> bool:
        """Whether this process is the one that writes."""
        return self._writer is not None

    def _fetch(self, name: str, known: Known) -> None:
        path = self.folder / name
        files.fetch(self._there(name), path)
        if path.stat().st_size != known.size:  # another one has been written meanwhile
            path.unlink()
            raise FileNotFoundError(name)
        self._known[name], self._stamps[name] = known, _stamp(path)

    def _upload(self) -> None:
        here = {name: _stamp(self.folder / name) for name in files.list_files(str(self.folder))}
        for name in sorted(here, key=_rank):
            if self._stamps.get(name) != here[name]:
                files.deliver(self.folder / name, self._there(name))
                self._stamps[name] = here[name]
        gone = self._stamps.keys() - here.keys()
        indexes = {name for name in gone if name.endswith(".index")}
        for group in (indexes, gone - indexes):  # without the index the rest is no checkpoint
            with contextlib.suppress(FileNotFoundError):
                files.delete([self._there(name) for name in sorted(group)])
            for name in group:
                del self._stamps[name]

    def _check_only_one(self) -> None:
        """Notes in the store that this process trains the run; checks that no other has done so since.

        The last one that begins goes on, since the one before may have been killed, and would not answer.
        """
        place = self._there(_WRITER)
        if self._writer is None:
            self._writer = uuid.uuid4().hex
            entry = {"writer": self._writer, "process": os.getpid(), "host": socket.gethostname(), "time": time.time()}
            files.write(place, json.dumps(entry).encode())
            return
        entry = json.loads(files.read(place))
        if entry["writer"] != self._writer:
            raise _OtherTraining(
                f"process {entry['process']} on {entry['host']} has begun to train {self.address}, too; it goes on "
                "from the last checkpoint there, and this one ends"
            )

    def _there(self, name: str) -> str:
        return files.join(self.address, name)

    def _keep(self) -> Path:
        """Gives the folder a name under which nobody removes it."""
        kept = self.folder.with_name(f"kept-{self.folder.name.lstrip('.')}")
        self.folder.rename(kept)
        return kept


class _OtherTraining(UserError):
    """Another process trains the run."""


_COPIES: dict[Path, _Copy] = {}  # by their folders
_READ: dict[tuple[str, str | None], tuple[tempfile.TemporaryDirectory, _Copy]] = {}


def bring(address: str, checkpoint: str | None = "latest") -> Path:
    """Brings what commands read of a run on a store into a local folder, which is removed when the process ends.

    Args:
        address: of the run.
        checkpoint: `latest`, `best`, or None for none.

    Returns:
        A run directory, without logs and samples; empty if there is no run.

    Raises:
        TryAgainError, UserError, OSError: the store cannot be reached, or does not answer this user.
    """
    address = address.rstrip("/")
    if (address, checkpoint) not in _READ:
        directory = tempfile.TemporaryDirectory(prefix="stargan_tf-run-")
        folder = Path(directory.name).resolve()
        _COPIES[folder] = _Copy(address, folder)
        _READ[address, checkpoint] = directory, _COPIES[folder]
    _, copy = _READ[address, checkpoint]

    def choose(found: Mapping[str, Known]) -> set[str]:
        if run_directory.CONFIG_FILE not in found:
            return set()
        chosen = {name for name in found if not _NOT_READ.match(name)}
        return chosen | {name for name in found if name.startswith(_checkpoint(address, found, checkpoint))}

    copy.pull(choose)
    return copy.folder


def _checkpoint(address: str, found: Mapping[str, Known], checkpoint: str | None) -> tuple[str, ...]:
    """Returns with what the names of the files of a checkpoint begin, and of what says which one it is."""
    folder = checkpoint_files.DIRECTORY
    if checkpoint == "best":
        best = _best(address, found)
        return () if best is None else (_BEST, best)
    steps = [int(match[1]) for name in found if (match := re.fullmatch(rf"{folder}/step-(\d+)\.index", name))]
    if checkpoint is None or not steps:
        return ()
    return (f"{folder}/step-{max(steps)}.",)


def _best(address: str, found: Mapping[str, Known]) -> str | None:
    """Returns with what the names of the files of the best checkpoint begin; None if none is kept."""
    if _BEST not in found:
        return None
    return f"{checkpoint_files.DIRECTORY}/{json.loads(files.read(files.join(address, _BEST)))['checkpoint']}."


@contextlib.contextmanager
def opened(run: str) -> Iterator[Path]:
    """Opens a run to train it.

    Args:
        run: run directory, local or on a store.

    Yields:
        The run directory itself; of one on a store, a local folder that stands for it. `push` brings the store to what
        that is, as the end of the block does; then the folder is removed. Where the store does not take it, it is kept.

    Raises:
        TryAgainError, UserError: the store cannot be reached or does not want it, or holds something else there.
    """
    if not files.is_remote(run):
        yield Path(run)
        return
    address = run.rstrip("/")
    check_writable(run)
    name = f"stargan_tf-run-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
    with writing.temporary_directory(Path(tempfile.gettempdir()).resolve() / name) as folder:
        folder.chmod(0o700)
        copy = _COPIES[folder] = _Copy(address, folder)
        try:
            copy.pull(_trained_on(copy))
            try:
                yield folder
            except Exception:
                _push_at_end(copy)
                raise
            if copy.has_pushed:
                copy.push(trains=True)
        except UserError as error:
            if isinstance(error.__cause__, Exception) and writing.is_full(error.__cause__):
                raise UserError(f"{error}; TMPDIR, now {folder.parent}, must be a directory with more room") from error
            raise
        finally:
            del _COPIES[folder]


def check_writable(run: str) -> None:
    """Raises UserError for a run on the Hugging Face Hub, where every file would be a commit."""
    if run.startswith("hf://"):
        raise UserError(f"--run {run} is on the Hugging Face Hub, where runs are read only; copy it to a disk or store")


def _push_at_end(copy: _Copy) -> None:
    """Brings up what a run has told until it failed; what failed is told in any case."""
    if copy.has_pushed:
        try:
            copy.push(trains=True)
        except UserError as error:
            print(f"note: {error}", file=sys.stderr, flush=True)


def _trained_on(copy: _Copy) -> Callable[[Mapping[str, Known]], set[str]]:
    def choose(found: Mapping[str, Known]) -> set[str]:
        if found and run_directory.CONFIG_FILE not in found:
            raise UserError(f"{copy.address!r} exists and is not a run directory; choose another for --run")
        best = _best(copy.address, found)
        of_none = {name for name in found if _is_of_no_checkpoint(name, best, found)}
        copy.answer_for(of_none)
        return {name for name in found if not _NOT_TRAINED_ON.match(name)} - of_none

    return choose


def _is_of_no_checkpoint(name: str, best: str | None, found: Mapping[str, Known]) -> bool:
    """Returns whether a kill while files went up, or were deleted, has left one that is of no use."""
    if re.match(r"checkpoints/step-\d+\.data-", name):
        return f"{name.partition('.data-')[0]}.index" not in found
    return name.startswith("checkpoints/best-") and not (best and name.startswith(best))


def push(run: Path, trains: bool = True) -> None:
    """Brings the store to what the folder of a run is; does nothing for a run that is not on a store.

    Args:
        run: the run directory.
        trains: whether this process trains the run.

    Raises:
        TryAgainError, UserError: the store does not take it; the folder is kept, and named.
    """
    if (copy := _COPIES.get(run)) is not None:
        copy.push(trains)


def pull(run: Path) -> None:
    """Fetches what another process that trains the same run has pushed; does nothing for a run not on a store."""
    if (copy := _COPIES.get(run)) is not None:
        copy.pull(_trained_on(copy))


def _rank(name: str) -> tuple[int, str]:
    return next(rank for rank, pattern in enumerate(_ORDER) if re.fullmatch(pattern, name)), name


def _stamp(path: Path) -> tuple[int, ...]:
    """Returns what is another one when a file has been written."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino
