"""A page to try a model in the browser: `python -m stargan_tf.demo --model DIR` or `--server HOST:PORT`."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Port
from stargan_tf.serving.connection import Connection

if TYPE_CHECKING:
    from stargan_tf.serving.served_model import ServedModel

PROGRAM = "python -m stargan_tf.demo"
DESCRIPTION = (
    "Serves a page to try a model in the browser: choose an image, draw it in styles of a domain or in the style of a "
    "reference, and go from one style to another. The model is loaded, or asked at a server."
)

_MAX_WAITING = 64
# Larger files are not even stored; the page's own limit is lower, and is told in a sentence.
_MAX_UPLOAD = "256mb"


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        model: directory of an exported model or of one of its versions, which is loaded.
        server: HOST:PORT of TF Serving's gRPC interface, which is asked instead.
        model_name: name of the model at the server.
        host: address to serve the page at; 0.0.0.0 shows it to the network.
        port: port to serve the page at; 0 takes a free one.
    """

    model: str | None = None
    server: str | None = None
    model_name: str = Connection.model
    host: str = "127.0.0.1"
    port: Port = 7860


def run(arguments: Arguments) -> None:
    """Serves the page until SIGINT (Ctrl-C) or SIGTERM.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, gradio is missing, no model, no answer of the server, or a port in use.
    """
    if (arguments.model is None) == (arguments.server is None):
        given = "neither --model nor --server is given" if arguments.model is None else "--model and --server are given"
        raise UserError(f"{given}; give one of them, the directory of an exported model or HOST:PORT")
    # Before the model is loaded, which takes a while.
    extras.require("demo", "gradio")
    port = _free_port(arguments.host, arguments.port)
    with contextlib.ExitStack() as stack:
        model = _load(arguments, stack)
        stop = stack.enter_context(_signalled())
        address = stack.enter_context(served(model, arguments.host, port))
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        stop.wait()
    print("the page has ended", flush=True)


@contextlib.contextmanager
def served(model: "ServedModel", host: str, port: int) -> Iterator[str]:
    """Serves the page while the context is entered.

    Args:
        model: which the page shows.
        host: address to serve it at.
        port: port to serve it at; 0 takes a free one.

    Yields:
        The page's address.

    Raises:
        UserError: the port is in use.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    from stargan_tf.page import layout, scripts, theme

    port = _free_port(host, port)
    blocks = layout.build(model)
    # Events wait for one another, so that a user is told to wait and not turned away.
    blocks.queue(max_size=_MAX_WAITING, default_concurrency_limit=1)
    try:
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            theme=theme.THEME,
            css=theme.CSS,
            js=scripts.ON_LOAD,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            max_file_size=_MAX_UPLOAD,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            pwa=False,
        )
    except OSError as error:
        raise UserError(f"the page cannot be served at {host}:{port} ({error})") from None
    try:
        yield address
    finally:
        blocks.close(verbose=False)


def _load(arguments: Arguments, stack: contextlib.ExitStack) -> "ServedModel":
    model: ServedModel
    if arguments.model is None:
        from stargan_tf.serving.client import GrpcClient

        model = stack.enter_context(GrpcClient(arguments.server, model=arguments.model_name))
    else:
        from stargan_tf.serving.served_model import LocalModel, newest_version

        path = newest_version(
            Path(arguments.model)
        )  # before TensorFlow is imported, so that a wrong directory is told at once
        with command_line.quiet_start():
            model = LocalModel(path)
    _ = model.card  # a server that does not answer is told before the page is there
    return model


def _free_port(host: str, port: int) -> int:
    """Returns the port, or a free one for 0; raises UserError if it is in use."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            return listener.getsockname()[1]
    except socket.gaierror:
        raise UserError(f"--host is {host!r}; it must be an address of this machine, like 127.0.0.1") from None
    except OSError as error:
        raise UserError(
            f"cannot serve at port {port} of {host} ({error.strerror}); choose another with --port, or 0 for a free one"
        ) from None


@contextlib.contextmanager
def _signalled() -> Iterator[threading.Event]:
    """Yields an event that SIGINT and SIGTERM set; a second signal raises KeyboardInterrupt."""
    stop = threading.Event()

    def note(number, frame):
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
