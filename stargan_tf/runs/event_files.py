"""TensorBoard's files of a run: TFRecords of Event protos, which any program may read."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from stargan_tf.base.writing import whole_file
from stargan_tf.data import tfrecord
from stargan_tf.runs.run_directory import LOGS

# TensorBoard takes every file with this in its name for one of events.
_MARK = "tfevents"
_VERSION = "brain.Event:2"


def cut(run: Path, step: int) -> None:
    """Removes what was recorded after a step, which a run that goes on from there records again.

    Without this, curves would double back. A file is rewritten beside itself and renamed, and only if something in it
    has to go; none may be open for writing.

    Args:
        run: the run directory.
        step: number of finished steps.

    Raises:
        UserError: the files cannot be written; they are as they were.
    """
    for path in sorted((run / LOGS).glob(f"*{_MARK}*")):
        if any(_is_later(record, step) for record in _records(path)):
            _replace(run, path.name, (record for record in _records(path) if not _is_later(record, step)))


def write_summaries(run: Path, name: str, summaries: Iterable[Summary]) -> None:
    """Writes a file of summaries that belong to no step, in place of the one of that name.

    Args:
        run: the run directory.
        name: what the file is about; a part of its name.
        summaries: of which each gets an event of its own.

    Raises:
        UserError: it cannot be written.
    """
    now = time.time()
    events = [Event(wall_time=now, file_version=_VERSION)]
    events += [Event(wall_time=now, summary=summary) for summary in summaries]
    _replace(run, f"events.out.{_MARK}.{name}", (event.SerializeToString() for event in events))


def _replace(run: Path, name: str, records: Iterable[bytes]) -> None:
    # Under the temporary name that `whole_file` gives beside it, TensorBoard would show the file, too.
    hidden = run / f".{name.replace(_MARK, 'cut')}"
    with whole_file(hidden) as temporary, temporary.open("wb") as file:
        for record in records:
            file.write(tfrecord.frame(record))
    (run / LOGS).mkdir(exist_ok=True)
    hidden.replace(run / LOGS / name)


def _records(path: Path) -> Iterator[bytes]:
    """Yields the records of a file, up to the one at its end that a killed process left unfinished."""
    with path.open("rb") as file:
        try:
            yield from tfrecord.read_records(file)
        except tfrecord.CorruptRecord:
            return


def _is_later(record: bytes, step: int) -> bool:
    event = Event.FromString(record)
    return event.HasField("summary") and event.step > step
