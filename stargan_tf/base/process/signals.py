"""How a command ends by a signal: it cleans up, says so, and ends for certain even while it waits in foreign code."""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from stargan_tf.base.errors import SIGNAL_EXIT_CODE
from stargan_tf.base.process import repeating

# How long what was begun may take to clean up. Python's handlers wait for foreign code to come back, which TensorFlow,
# where it waits for another machine, never does.
PATIENCE = 10.0


class Terminated(BaseException):
    """SIGTERM has arrived. As KeyboardInterrupt, it is no `Exception`, which code may take for its own."""


@contextlib.contextmanager
def raised(program: str) -> Iterator[None]:
    """While entered, SIGTERM raises `Terminated` as SIGINT raises KeyboardInterrupt, so that blocks are left in order.

    If the process still runs `PATIENCE` seconds later, it is ended with exit code 128 + N. Whoever handles the signals
    otherwise meanwhile, as training does, is left alone.

    Args:
        program: the name shown then.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    # The interpreter writes the number of each signal to it at once, whatever the main thread does.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    done, terminate = threading.Event(), _Terminate()
    threading.Thread(target=_watch, args=(reader, terminate, done, program), name="signals", daemon=True).start()
    signal.signal(signal.SIGTERM, terminate)
    previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        if signal.getsignal(signal.SIGTERM) is terminate:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not isinstance(sys.exc_info()[1], Terminated):
            done.set()  # else the watch goes on: a thread that does not end would keep the process
        writer.close()


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keeps the handler of SIGTERM from being replaced by foreign code while entered, or afterwards.

    TensorFlow takes it when it connects machines, notes the signal, and goes on waiting. Python knows nothing of it, so
    the system's own function sets the handler again.
    """
    sigaction = ctypes.CDLL(None).sigaction
    handler = ctypes.create_string_buffer(1024)  # struct sigaction, which is smaller everywhere
    sigaction(int(signal.SIGTERM), None, handler)
    try:
        with repeating.meanwhile(lambda: sigaction(int(signal.SIGTERM), handler, None), 0.2):
            yield
    finally:
        sigaction(int(signal.SIGTERM), handler, None)


class _Terminate:
    """A handler that raises once: what is left in order then must not be left again."""

    def __init__(self) -> None:
        self._has_raised = False

    def __call__(self, number: int, frame: object) -> None:
        if not self._has_raised:
            self._has_raised = True
            raise Terminated


def _watch(reader: socket.socket, terminate: _Terminate, done: threading.Event, program: str) -> None:
    handlers = {signal.SIGTERM: terminate, signal.SIGINT: signal.default_int_handler}
    with reader:
        while received := reader.recv(64):
            for number in received:
                handler = signal.getsignal(number)
                if handler == handlers.get(number, signal.SIG_DFL) and not done.wait(PATIENCE):  # type: ignore[call-overload]
                    os.write(2, f"{program}: ended by {signal.Signals(number).name}\n".encode())
                    os._exit(SIGNAL_EXIT_CODE + number)
