"""Processes of a job meet, compare what they do, say who is missing, and refuse what cannot work."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from stargan_tf.base.errors import UserError
from stargan_tf.training import meeting
from stargan_tf.training.cluster import TF_CONFIG, Cluster, read_cluster

FACTS = {"the fingerprint of the data": "0123", "--training.steps": "40"}


def free_ports(count: int) -> list[int]:
    """Returns ports that nobody has."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def cluster(ports: list[int], number: int) -> Cluster:
    addresses = tuple(f"localhost:{port}" for port in ports)
    return Cluster(addresses, tuple(f"worker {index}" for index in range(len(ports))), number)


class Process(threading.Thread):
    """A process of a job, here a thread: what came of its meeting is in `error`, None if all met."""

    def __init__(self, of: Cluster, facts: dict[str, str] = FACTS):
        super().__init__(daemon=True)
        self.of, self.facts, self.error, self.has_met = of, facts, None, False
        self.start()

    def run(self) -> None:
        try:
            with meeting.met(self.of, self.facts):
                self.has_met = True
        except UserError as error:
            self.error = str(error)

    def wait(self) -> "Process":
        self.join(30)
        assert not self.is_alive()
        return self


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Lines come at once, and a port is not waited for."""
    monkeypatch.setattr(meeting, "_FIRST_WORD", 0)
    monkeypatch.setattr(meeting, "SECONDS_BETWEEN_LINES", 0.1)
    monkeypatch.setattr(meeting, "_PATIENCE_WITH_PORT", 0)
    monkeypatch.setattr(meeting, "_TURN", 0.05)


def test_those_who_do_the_same_work_meet():
    ports = free_ports(3)
    processes = [Process(cluster(ports, number)) for number in (2, 0, 1)]
    assert all(process.wait().has_met for process in processes)


@pytest.mark.parametrize("name", FACTS)
def test_other_work_is_refused_by_all(name):
    ports = free_ports(2)
    chief, other = Process(cluster(ports, 0)), Process(cluster(ports, 1), FACTS | {name: "other"})
    sentence = f"{name} is other there and {FACTS[name]} here"
    assert sentence in chief.wait().error and other.wait().error == chief.error
    assert f"worker 1 (localhost:{ports[1]})" in chief.error


def test_what_only_one_knows_is_not_compared():
    ports = free_ports(2)
    processes = [Process(cluster(ports, 0), FACTS | {"the checkpoint of step 2": "ab"}), Process(cluster(ports, 1))]
    assert all(process.wait().has_met for process in processes)


def test_all_say_who_is_missing(capsys):
    ports = free_ports(3)
    processes = [Process(cluster(ports, number)) for number in (0, 1)]
    said, deadline = "", time.monotonic() + 20
    lines = [f"worker {number} waits for worker 2 (localhost:{ports[2]})" for number in (0, 1)]
    while not all(line in said for line in lines):
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
        said += capsys.readouterr().out
    assert all(process.wait().has_met for process in (*processes, Process(cluster(ports, 2))))


def test_without_the_chief_that_is_said(capsys):
    ports = free_ports(2)
    other = Process(cluster(ports, 1))
    time.sleep(0.5)
    line = f"worker 1 waits for the chief, worker 0 (localhost:{ports[0]}): Connection refused"
    assert line in capsys.readouterr().out
    assert Process(cluster(ports, 0)).wait().has_met and other.wait().has_met


def test_a_second_process_of_the_same_number_is_refused():
    ports = free_ports(3)
    chief, first = Process(cluster(ports, 0)), Process(cluster(ports, 1))
    time.sleep(0.5)
    with socket.create_connection(("localhost", ports[0])) as connection:
        hello = {"greeting": meeting._GREETING, "number": 1, "facts": FACTS}
        connection.sendall(json.dumps(hello | {"addresses": chief.of.addresses}).encode() + b"\n")
        assert "is here already" in json.loads(connection.makefile().readline())["refusal"]
    assert Process(cluster(ports, 2)).wait().has_met and chief.wait().has_met and first.wait().has_met


def test_strangers_do_not_matter():
    ports = free_ports(2)
    chief = Process(cluster(ports, 0))
    time.sleep(0.3)
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"number": 1}\n', b"\xff" * 10 + b"\n"):
        with socket.create_connection(("localhost", ports[0])) as connection:
            connection.sendall(noise)
    assert Process(cluster(ports, 1)).wait().has_met and chief.wait().has_met


def test_a_port_that_is_taken_is_a_mistake():
    with socket.create_server(("", 0)) as taken:
        ports = [taken.getsockname()[1], *free_ports(1)]
        assert (
            f"port {ports[0]} of this machine cannot be had (another program" in Process(cluster(ports, 0)).wait().error
        )


def test_an_address_of_another_number_is_a_mistake():
    (port,) = free_ports(1)
    both = Cluster((f"localhost:{port}", f"127.0.0.1:{port}"), ("worker 0", "worker 1"), 1)
    assert "leads to this process, too" in Process(both).wait().error


def test_other_addresses_are_refused():
    ports = free_ports(3)
    chief, other = Process(cluster(ports[:2], 0)), Process(cluster([ports[0], ports[2]], 1))
    assert "names other addresses there" in chief.wait().error and other.wait().error == chief.error


@pytest.mark.parametrize(
    ("jobs", "task", "sentence"),
    [
        ({"worker": ["a:1", "A:1"]}, ("worker", 0), "has the address a:1 2 times"),
        ({"worker": ["a:1", "b"]}, ("worker", 0), "has the address 'b'; it must be HOST:PORT"),
        ({"worker": ["a:1", "b:70000"]}, ("worker", 0), "has the address 'b:70000'; it must be HOST:PORT"),
        ({"worker": ["a:1", "b:1"]}, ("worker", -1), "this process is worker -1"),
        ({"chief": ["a:1", "b:1"]}, ("chief", 0), "names 2 chiefs"),
        ({"chief": ["a:1"], "worker": ["b:1"]}, ("worker", 1), "this process is worker 1"),
    ],
)
def test_what_cannot_work_is_refused_before_anything(jobs, task, sentence, monkeypatch):
    monkeypatch.setenv(TF_CONFIG, json.dumps({"cluster": jobs, "task": {"type": task[0], "index": task[1]}}))
    with pytest.raises(UserError) as error:
        read_cluster()
    assert sentence in str(error.value)


def test_the_chief_comes_first(monkeypatch):
    value = {"cluster": {"worker": ["b:1", "c:1"], "chief": ["a:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(value))
    assert read_cluster() == Cluster(("a:1", "b:1", "c:1"), ("chief 0", "worker 0", "worker 1"), 2)


# ---------------------------------------------------------------------- ends, which need processes

_SCRIPT = """
import ctypes, signal, sys, time
from dataclasses import dataclass
from stargan_tf.base import command_line
from stargan_tf.base.process import signals
from stargan_tf.training import meeting
from stargan_tf.training.cluster import Cluster

meeting._FIRST_WORD, signals.PATIENCE = 0, 0.5
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have what they start in the background ignore it
ports, number = [int(port) for port in sys.argv[1].split(",")], int(sys.argv[2])

@dataclass(frozen=True)
class Nothing:
    pass

def stuck():
    mutex = ctypes.create_string_buffer(64)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)  # waits for ever, as TensorFlow does

def command(arguments):
    cluster = Cluster(tuple(f"localhost:{port}" for port in ports), ("worker 0", "worker 1"), number)
    with meeting.met(cluster, {}), signals.kept():
        ctypes.CDLL(None).signal(15, ctypes.c_void_p(1))  # ignores SIGTERM, as TensorFlow does
        print("met", flush=True)
        stuck()

sys.exit(command_line.main(Nothing, command, "program", argv=[]))
"""


@contextlib.contextmanager
def start(ports: list[int], number: int) -> Iterator[subprocess.Popen]:
    words = [sys.executable, "-c", _SCRIPT, ",".join(map(str, ports)), str(number)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()  # if it has not ended


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("role", [0, 1])
def test_a_signal_ends_who_waits_for_others(number, role):
    with start(free_ports(2), role) as process:
        assert f"worker {role} waits for" in process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == 128 + number


def _after_they_met(number: signal.Signals) -> list[tuple[int, str]]:
    """Exit codes and errors of two processes that wait in foreign code, the first of which got a signal."""
    ports = free_ports(2)
    with start(ports, 0) as first, start(ports, 1) as second:
        for process in (first, second):
            while process.stdout.readline() != "met\n":
                assert process.poll() is None
        time.sleep(0.5)  # for the handler to be set again
        first.send_signal(number)
        errors = [process.communicate(timeout=30)[1] for process in (first, second)]
    return list(zip((first.returncode, second.returncode), errors, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_is_lost_at_the_start_ends_the_others(number):
    (code, _), (code_of_other, error) = _after_they_met(number)
    assert code == (-number if number == signal.SIGKILL else 128 + number)
    assert code_of_other == 75
    assert error.startswith("error: worker 0 (localhost:") and "was lost at the start" in error
