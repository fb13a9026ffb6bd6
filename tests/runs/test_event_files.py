import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from stargan_tf.base.errors import UserError
from stargan_tf.runs import event_files


def summary(value: float) -> Summary:
    return Summary(value=[Summary.Value(tag="loss", simple_value=value)])


def write(run, steps):
    """Writes a file of scalars, as TensorBoard's own writer does; returns its path."""
    before = set((run / "logs").glob("*"))
    writer = EventFileWriter(str(run / "logs"), filename_suffix=f".{len(before)}")
    for step in steps:
        writer.add_event(Event(wall_time=time.time(), step=step, summary=summary(step)))
    writer.close()
    (path,) = set((run / "logs").glob("*")) - before
    return path


def steps(run) -> list[int]:
    """Returns the steps of all events, as they lie in the files, by TensorBoard's own reader."""
    events = EventAccumulator(str(run / "logs"), purge_orphaned_data=False)
    events.Reload()
    return [event.step for event in events.Scalars("loss")]


def test_what_was_recorded_after_a_step_is_cut_from_every_file(tmp_path):
    event_files.cut(tmp_path, 3)  # nothing to cut
    paths = [write(tmp_path, part) for part in ([1, 2, 3], [4, 5], [3, 6])]
    before = paths[0].read_bytes(), paths[0].stat().st_ino
    event_files.cut(tmp_path, 3)
    assert steps(tmp_path) == [1, 2, 3, 3]
    assert (paths[0].read_bytes(), paths[0].stat().st_ino) == before  # nothing in it had to go
    assert sorted((tmp_path / "logs").iterdir()) == sorted(paths) and len(list(tmp_path.iterdir())) == 1


def test_what_a_kill_left_unfinished_is_cut_with_the_rest(tmp_path):
    path = write(tmp_path, [1, 2, 3, 4])
    path.write_bytes(path.read_bytes()[:-5])
    event_files.cut(tmp_path, 2)
    assert steps(tmp_path) == [1, 2]


def test_a_write_that_fails_leaves_the_files_as_they_were(tmp_path, monkeypatch):
    path = write(tmp_path, [1, 2, 3])
    before = path.read_bytes()

    def frame(data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(event_files.tfrecord, "frame", frame)
    with pytest.raises(UserError, match="no space left on the device"):
        event_files.cut(tmp_path, 2)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [tmp_path / "logs"]
    assert list((tmp_path / "logs").iterdir()) == [path]


def test_summaries_of_no_step_stand_in_a_file_that_is_replaced(tmp_path):
    for value in (1.0, 2.0):
        event_files.write_summaries(tmp_path, "settings", [summary(value)])
    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == [2.0]
    event_files.cut(tmp_path, 0)
    assert steps(tmp_path) == [0] and len(list((tmp_path / "logs").iterdir())) == 1
