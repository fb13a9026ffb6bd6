"""Where the processes of a job meet before TensorFlow connects them, which would wait without a word or an end.

The chief listens at its own address until all have come, and compares what they say of themselves. The connections stay
until TensorFlow has made its own, so that a process that is lost meanwhile is noticed. Without TensorFlow.
"""

import contextlib
import errno
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from stargan_tf.base.errors import ExitCode, TryAgainError, UserError
from stargan_tf.training.cluster import TF_CONFIG, Cluster

_FIRST_WORD = 2.0  # seconds before the first line about who is missing
SECONDS_BETWEEN_LINES = 30.0
_TURN = 0.5  # seconds that one look takes, between which signals are handled
_PATIENCE_WITH_PORT = 10.0  # seconds in which an earlier process may give its port back
_LONGEST = 1 << 20  # bytes of a message
_SHOWN = 4

_GREETING = "stargan-tf workers meet"


@contextlib.contextmanager
def met(cluster: Cluster, facts: Mapping[str, str]) -> Iterator[None]:
    """Waits until all processes of a job are here and do the same work; put it around what connects them.

    While the block runs, the loss of another process ends this one with `ExitCode.TRY_AGAIN`.

    Args:
        cluster: the processes.
        facts: what must be the same for all of them, by name; those that two both know are compared.

    Raises:
        UserError: two do not do the same work, or TF_CONFIG cannot work: this process's port is taken, for instance.
        TryAgainError: the chief was lost at the last moment.
    """
    waiting = _Waiting(cluster)
    listener = _listen(cluster)
    with listener:
        if cluster.number == 0:
            others = _receive_all(cluster, dict(facts), listener, waiting)
        else:
            others = {0: _report(cluster, dict(facts), waiting)}
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(cluster, others, done), name="workers", daemon=True)
    watch.start()
    try:
        yield
        for peer in others.values():
            peer.send(started=True)
    finally:
        done.set()
        watch.join()
        for peer in others.values():
            peer.close()


class _Peer:
    """A connection that carries a line of JSON for each message."""

    def __init__(self, connection: socket.socket):
        self.connection = connection
        self.facts: dict[str, str] = {}
        self._received = b""
        connection.settimeout(_TURN)

    def send(self, **message: Any) -> None:
        with contextlib.suppress(OSError):  # whoever is gone is noticed when it is listened to
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, wait: bool = True) -> dict[str, Any] | None:
        """Returns the next message, None if there is none yet.

        Raises:
            OSError: the other end is gone, or is no process of a job.
        """
        self.connection.settimeout(_TURN if wait else 0)
        while b"\n" not in self._received:
            try:
                data = self.connection.recv(1 << 16)
            except (TimeoutError, BlockingIOError):
                return None
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "it has ended the connection")
            self._received += data
            if len(self._received) > _LONGEST:
                raise OSError("it is no process of this job")
        line, _, self._received = self._received.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise OSError("something else answers there")
        return message

    def close(self) -> None:
        self.connection.close()


class _Waiting:
    """Says now and then what is waited for."""

    def __init__(self, cluster: Cluster):
        self._me = cluster.names[cluster.number]
        self._next = time.monotonic() + _FIRST_WORD

    def say(self, what: str) -> bool:
        """Prints it if it is time; returns whether it was."""
        if (now := time.monotonic()) < self._next:
            return False
        self._next = now + SECONDS_BETWEEN_LINES
        print(f"{self._me} waits for {what}", flush=True)
        return True


def _listen(cluster: Cluster) -> socket.socket:
    """Takes the port of this process, which shows whether it can be had."""
    port = int(cluster.addresses[cluster.number].rpartition(":")[2])
    me, end = cluster.describe(cluster.number), time.monotonic() + _PATIENCE_WITH_PORT
    while True:
        try:
            listener = socket.create_server(("", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < end:
                time.sleep(_TURN)
                continue
            reason = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
            raise UserError(
                f"port {port} of this machine cannot be had ({reason}), which {TF_CONFIG} gives to this process, {me}; "
                "name a free one, and each process once"
            ) from error
        listener.settimeout(_TURN)
        return listener


def _receive_all(
    cluster: Cluster, facts: dict[str, str], listener: socket.socket, waiting: _Waiting
) -> dict[int, _Peer]:
    """As the chief: waits for all others and compares them with this process."""
    strangers: list[_Peer] = []
    present: dict[int, _Peer] = {}
    while len(present) < len(cluster.addresses) - 1:
        with contextlib.suppress(TimeoutError):
            strangers.append(_Peer(listener.accept()[0]))
        for peer in list(strangers):
            try:
                message = peer.receive(wait=False)
            except OSError:
                peer.close()
                strangers.remove(peer)
                continue
            if message is not None:
                strangers.remove(peer)
                _welcome(cluster, facts, peer, message, present)
        for number, peer in list(present.items()):
            try:
                peer.receive(wait=False)
            except OSError:  # it will come again, or is missing
                present.pop(number).close()
        missing = [cluster.describe(n) for n in range(1, len(cluster.addresses)) if n not in present]
        if missing and waiting.say(", ".join(missing)):
            for peer in present.values():
                peer.send(missing=missing)
    for peer in present.values():
        peer.send(complete=True)
    for peer in strangers:
        peer.close()
    return present


def _welcome(
    cluster: Cluster, facts: dict[str, str], peer: _Peer, message: dict[str, Any], present: dict[int, _Peer]
) -> None:
    """As the chief: takes in who has come, or refuses it.

    Raises:
        UserError: it does other work than this process, after all were told.
    """
    number, theirs = message.get("number"), message.get("facts")
    if message.get("greeting") != _GREETING or not isinstance(theirs, dict) or not isinstance(number, int):
        peer.close()
        return
    if message.get("addresses") != list(cluster.addresses):
        refusal = f"{TF_CONFIG} names other addresses there ({message.get('addresses')}) than here"
    elif number in present:
        refusal = f"{cluster.describe(number)} is here already; give each process an index of its own in {TF_CONFIG}"
        peer.send(refusal=refusal)
        peer.close()
        return
    else:
        refusal = _difference(facts, theirs)
    if not refusal:
        peer.facts = theirs
        present[number] = peer
        return
    who = cluster.describe(number) if 0 <= number < len(cluster.names) else f"worker {number}"
    sentence = f"{who} does not do the same work as {cluster.describe(0)}: {refusal}"
    for each in (peer, *present.values()):
        each.send(refusal=sentence)
        each.close()
    raise UserError(sentence)


def _difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Returns what two processes do not have in common, "" if there is nothing."""
    different = [name for name, value in here.items() if name in there and there[name] != value]
    if not different:
        return ""
    shown = [f"{name} is {there[name]} there and {here[name]} here" for name in different[:_SHOWN]]
    if len(different) > _SHOWN:
        shown.append(f"{len(different) - _SHOWN} more differ")
    return "; ".join(shown) + "; all workers need the same data, code, packages, settings and environment"


def _report(cluster: Cluster, facts: dict[str, str], waiting: _Waiting) -> _Peer:
    """As one of the others: goes to the chief and waits with it."""
    host, _, port = cluster.addresses[0].rpartition(":")
    chief, own_port = f"the chief, {cluster.describe(0)}", cluster.addresses[cluster.number].rpartition(":")[2]
    while True:
        reason = "it does not answer"
        try:
            peer = _Peer(socket.create_connection((host.strip("[]"), int(port)), timeout=5))
            local, remote = peer.connection.getsockname()[0], peer.connection.getpeername()[0]
            if local == remote and port == own_port:
                raise UserError(
                    f"{TF_CONFIG} says that this process is {cluster.describe(cluster.number)}, but the address of "
                    f"{cluster.describe(0)} leads to this process, too; give each process the index of its address"
                )
            peer.send(
                greeting=_GREETING, number=cluster.number, addresses=cluster.addresses, facts=facts, pid=os.getpid()
            )
            if _stays(peer, waiting, chief):
                return peer
        except OSError as error:
            reason = error.strerror or str(error)
        waiting.say(f"{chief}: {reason}")
        time.sleep(_TURN)


def _stays(peer: _Peer, waiting: _Waiting, chief: str) -> bool:
    """Listens to the chief until all are there.

    Raises:
        UserError: the chief refuses this process.
        OSError: the chief is gone.
    """
    missing: list[str] = []
    with contextlib.ExitStack() as stack:
        stack.callback(peer.close)
        while True:
            message = peer.receive() or {}
            if "refusal" in message:
                raise UserError(str(message["refusal"]))
            if "complete" in message:
                stack.pop_all()
                return True
            missing = message.get("missing", missing)
            waiting.say(", ".join(missing) or f"{chief}, which is busy")


def _watch(cluster: Cluster, others: dict[int, _Peer], done: threading.Event) -> None:
    """Ends this process when another one is lost before TensorFlow, which would not notice, has connected them."""
    starting = dict(others)
    while not done.is_set() and starting:
        for number, peer in list(starting.items()):
            try:
                if (peer.receive(wait=False) or {}).get("started"):
                    del starting[number]
            except OSError as error:
                if done.wait(_TURN):
                    return
                lost = TryAgainError(
                    f"{cluster.describe(number)} was lost at the start ({error.strerror or error}); start all again "
                    "with the same command"
                )
                sys.stderr.write(f"error: {lost}\n")
                sys.stderr.flush()
                os._exit(ExitCode.TRY_AGAIN)
        done.wait(_TURN)
