"""Batches read by processes are those that threads read, whatever happens to the processes."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.config import DataConfig
from stargan_tf.data.batch_reader import BatchReader
from stargan_tf.data.corrupt_records import CorruptRecords
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.reader_processes import read_in_processes

from .test_corrupt_records import copy, flip_byte  # noqa: F401  # a fixture
from .test_input_pipeline import assert_equal, take

THREADS = DataConfig(batch_size=4)
PROCESSES = dataclasses.replace(THREADS, reader_processes=2)


def children():
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "reader_processes" in "".join(child.cmdline())]


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_batches_are_those_of_threads_wherever_they_begin(data):
    dataset = training_dataset(data, PROCESSES, seed=7, start_step=3)
    expected = take(training_dataset(data, THREADS, seed=7, start_step=3), 30)
    # As tensors, all kept: none of their memory may be used again meanwhile.
    batches = [batch for batch, _ in zip(dataset, range(30), strict=False)]
    assert_equal([{name: value.numpy() for name, value in batch.items()} for batch in batches], expected)
    assert_equal(take(dataset, 5), expected[:5])  # a second iterator
    part = training_dataset(data, PROCESSES, seed=7, start_step=3, worker=1, num_workers=2)
    assert_equal(take(part, 5), [{name: value[2:] for name, value in batch.items()} for batch in expected[:5]])


def test_corrupt_records_are_skipped_and_counted_as_by_threads(copy):  # noqa: F811
    places = [flip_byte(copy, "train_t_shirt", number) for number in (0, 25, 40)]
    corrupt, others = CorruptRecords(3), CorruptRecords(3)
    batches = take(training_dataset(copy, PROCESSES, seed=0, corrupt=corrupt), 60)
    assert_equal(batches, take(training_dataset(copy, THREADS, seed=0, corrupt=others), 60))
    assert corrupt.reasons == others.reasons == dict.fromkeys(places, "the checksum of its data is wrong")
    corrupt = CorruptRecords(2)
    with pytest.raises(UserError, match=r"makes 3 where --input.max_corrupt_records allows 2"), corrupt.user_errors():
        take(training_dataset(copy, PROCESSES, seed=0, corrupt=corrupt), 60)


def test_what_a_process_cannot_read_is_an_error_of_the_user_here(copy):  # noqa: F811
    flip_byte(copy, "train_cat", 0)
    corrupt = CorruptRecords(10)
    with pytest.raises(UserError, match=r"domain 'cat' .* has fewer than 2 training"), corrupt.user_errors():
        take(training_dataset(copy, PROCESSES, seed=0, corrupt=corrupt), 10)


def test_processes_go_on_when_training_is_told_to_stop_and_a_kill_is_told(data):
    batches = read_in_processes(BatchReader(data, THREADS, 7, range(4)), 2, 0, None)
    for _ in range(2):
        next(batches)
    assert len(children()) == 2
    for child in children():
        assert os.getpgid(child.pid) != os.getpgrp()  # which Ctrl-C goes to
        child.send_signal(signal.SIGTERM)
    for _ in range(9):
        next(batches)
    for child in children():
        child.kill()
    with pytest.raises(UserError, match=r"a process that reads images has ended .* fewer --input.reader_processes"):
        for _ in range(90):
            next(batches)


def test_processes_end_with_their_iterator(data):
    dataset = training_dataset(data, PROCESSES, seed=7)
    assert not children()
    batches = iter(dataset)
    next(batches)
    started = children()
    assert len(started) == 2
    del batches
    wait_until(lambda: not any(child.is_running() for child in started))


# Without `if __name__ == "__main__"`, which processes of `multiprocessing` would need.
SCRIPT = """
import sys, time
from stargan_tf.config import DataConfig
from stargan_tf.data.input_pipeline import training_dataset
from stargan_tf.data.records import open_data_directory
dataset = training_dataset(open_data_directory(sys.argv[1]), DataConfig(batch_size=4, reader_processes=2), seed=7)
batches = iter(dataset)
next(batches)
print("started", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize("killed", [False, True])
def test_processes_end_with_the_program_however_it_ends(data_path, tmp_path, killed):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    program = subprocess.Popen(
        [sys.executable, str(script), str(data_path), "60" if killed else "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert program.stdout.readline() == "started\n"
    started = psutil.Process(program.pid).children()
    if killed:
        assert len(started) == 2
        program.kill()
    _, errors = program.communicate(timeout=60)
    assert program.returncode == (-signal.SIGKILL if killed else 0)
    assert "Traceback" not in errors
    wait_until(lambda: not any(child.is_running() for child in started))
