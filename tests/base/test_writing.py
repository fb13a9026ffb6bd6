import errno
import os
import resource
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stargan_tf.base import file_lock, writing
from stargan_tf.base.errors import UserError
from stargan_tf.base.writing import whole_directory, whole_file


def test_the_output_appears_only_when_complete(tmp_path):
    output = tmp_path / "new" / "output"
    with whole_directory(output) as directory:
        (directory / "file").write_text("content")
        assert not output.exists()
    assert (output / "file").read_text() == "content"
    assert [child.name for child in output.parent.iterdir()] == ["output"]


def test_an_empty_directory_may_be_there(tmp_path):
    (tmp_path / "output").mkdir()
    with whole_directory(tmp_path / "output") as directory:
        (directory / "file").touch()
    assert (tmp_path / "output" / "file").exists()


def test_overwriting_replaces_at_the_end_and_a_failure_keeps_the_old(tmp_path):
    output = tmp_path / "output"
    output.mkdir()
    (output / "old").touch()
    with pytest.raises(ZeroDivisionError), whole_directory(output, overwrite=True) as directory:
        (directory / "new").touch()
        raise ZeroDivisionError
    assert [child.name for child in output.iterdir()] == ["old"]
    with whole_directory(output, overwrite=True) as directory:
        (directory / "new").touch()
        assert (output / "old").exists()
    assert [child.name for child in output.iterdir()] == ["new"]
    assert [child.name for child in tmp_path.iterdir()] == ["output"]


def test_what_appeared_meanwhile_is_kept(tmp_path):
    output = tmp_path / "output"
    with pytest.raises(UserError, match="not empty"), whole_directory(output):
        output.mkdir()
        (output / "theirs").touch()
    assert [child.name for child in output.iterdir()] == ["theirs"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file' is a file"), whole_directory(tmp_path / "file", overwrite=True):
        pass


@pytest.mark.parametrize("exchanging", [True, False])
def test_what_killed_processes_left_is_removed_or_put_back(tmp_path, monkeypatch, exchanging):
    """A process that replaces a directory may be killed at any moment: the old or the new one is there afterwards."""
    output = tmp_path / "[output]"
    (tmp_path / ".[output].partial-dead.lock").touch()
    (tmp_path / ".[output].partial-dead").mkdir()
    (tmp_path / ".[output].replaced-dead").mkdir()
    (tmp_path / ".[output].replaced-dead" / "old").touch()
    unknown = tmp_path / ".[output].partial-elsewhere-1"  # of a file system without locks: it may be at work
    unknown.mkdir()
    if not exchanging:
        monkeypatch.setattr(writing, "_exchange", lambda one, other: False)
    with whole_directory(output, overwrite=True) as directory:
        assert (output / "old").exists()
        (directory / "new").touch()
    assert [child.name for child in output.iterdir()] == ["new"]
    assert set(tmp_path.iterdir()) == {output, unknown}


_WRITER = """
import sys
from pathlib import Path
from stargan_tf.base.writing import whole_directory
with whole_directory(sys.argv[1], overwrite=True) as directory:
    (directory / "first").touch()
    print("begun", flush=True)
    sys.stdin.readline()
    (directory / "second").touch()
"""


@pytest.fixture
def writer(tmp_path):
    """Another process that has begun to write `tmp_path / "output"`, and ends when it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path / "output")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout.readline() == "begun\n"
        yield process
        process.kill()


def test_a_living_process_keeps_its_directory_wherever_it_runs(writer, tmp_path, monkeypatch):
    """In another container with the same host name, no process seems to have its number."""

    def no_such_process(process, signal):
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", no_such_process)
    with whole_directory(tmp_path / "output") as directory:
        (directory / "other").touch()
    assert writer.communicate("\n") and writer.returncode == 0
    assert {child.name for child in (tmp_path / "output").iterdir()} == {"first", "second"}
    assert [child.name for child in tmp_path.iterdir()] == ["output"]


def test_a_killed_process_leaves_nothing_wherever_it_ran(writer, tmp_path, monkeypatch):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(socket, "gethostname", lambda: "another container")
    with whole_directory(tmp_path / "output") as directory:
        assert list(directory.iterdir()) == []
    assert [child.name for child in tmp_path.iterdir()] == ["output"]


def test_two_threads_write_the_same_directory(tmp_path):
    with whole_directory(tmp_path / "output", overwrite=True) as one:
        (one / "one").touch()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_write_other, tmp_path / "output").result()
        assert (tmp_path / "output" / "other").exists()
    assert [child.name for child in (tmp_path / "output").iterdir()] == ["one"]
    assert [child.name for child in tmp_path.iterdir()] == ["output"]


def _write_other(path):
    with whole_directory(path) as directory:
        (directory / "other").touch()


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    """Work goes on; what is there without a lock is nobody's to remove."""

    def refuse(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock.fcntl, "flock", refuse)
    (tmp_path / ".output.partial-other").mkdir()
    with whole_directory(tmp_path / "output") as directory:
        (directory / "file").touch()
    assert {child.name for child in tmp_path.iterdir()} == {"output", ".output.partial-other"}
    with pytest.raises(UserError, match="cannot be locked: No locks available; use a local disk"):
        file_lock.locked(tmp_path / "lock", "").__enter__()


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "folder" / "file.npz"
    with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []
    writing.write_arrays(path, {"a": np.arange(3), "b": np.ones(2)})
    with pytest.raises(ZeroDivisionError), whole_file(path) as temporary:
        temporary.write_text("half")
        assert writing.is_temporary(temporary) and temporary.suffix == ".npz"
        raise ZeroDivisionError
    arrays = writing.read_arrays(path)
    assert arrays is not None and arrays["a"].tolist() == [0, 1, 2] and arrays["b"].tolist() == [1, 1]
    assert [child.name for child in path.parent.iterdir()] == ["file.npz"]
    path.write_bytes(path.read_bytes()[:-9])
    assert writing.read_arrays(path) is None
    assert writing.read_arrays(tmp_path / "nothing") is None


@pytest.mark.parametrize("write", [whole_file, whole_directory])
def test_a_store_is_not_taken_for_a_local_folder(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^s3://bucket/x is on a store; it must be a local path$"):
        write(Path("s3://bucket/x")).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path):
    def too_large():
        (tmp_path / "other").write_bytes(b"x" * 10_000)

    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[0][1]))
    try:
        writing.write_text(tmp_path / "file", "small")
        with pytest.raises(writing.WriteError, match=r"file' cannot be written: File too large"):
            writing.write_text(tmp_path / "file", "x" * 10_000)
        with pytest.raises(OSError, match="File too large"), whole_directory(tmp_path / "folder"):
            too_large()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
        signal.signal(signal.SIGXFSZ, before[1])
    assert (tmp_path / "file").read_text() == "small"
    assert {child.name for child in tmp_path.iterdir()} == {"file", "other"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space left on the device"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "the disk quota is used up"),
        (
            RuntimeError("Traceback ...\nOSError: [Errno 28] No space left on device [while running 'write']"),
            "no space",
        ),
    ],
)
def test_a_full_disk_is_known_whoever_tells(tmp_path, error, words):
    with pytest.raises(UserError, match=rf"folder' cannot be written: {words}"), whole_directory(tmp_path / "folder"):
        raise error
    assert list(tmp_path.iterdir()) == []
    if isinstance(error, OSError):
        with pytest.raises(UserError, match=rf"file' cannot be written: {words}"), whole_file(tmp_path / "file"):
            raise error


def test_errors_of_tensorflow_are_known_without_importing_it():
    code = (
        "import sys\nfrom stargan_tf.base import writing\nwriting.write_errors()\nsys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    import tensorflow as tf

    assert issubclass(tf.errors.ResourceExhaustedError, writing.write_errors())
    error = tf.errors.ResourceExhaustedError(None, None, "runs/1/x; No space left on device")
    assert writing.reason(error) == "no space left on the device"


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "kept").write_text("old")
    (tmp_path / "link").symlink_to("kept")
    writing.write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "kept").read_text() == "new"
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").symlink_to("empty")
    with whole_directory(tmp_path / "folder") as directory:
        (directory / "a").touch()
    assert (tmp_path / "folder").is_symlink() and [path.name for path in (tmp_path / "empty").iterdir()] == ["a"]
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe' is no ordinary file"):
        writing.write_text(tmp_path / "pipe", "new")
