"""Serves the page at an address of this machine."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from stargan_tf.base.errors import UserError

if TYPE_CHECKING:
    from stargan_tf.serving.served_model import ServedModel

_MAX_WAITING = 64
# Larger files are not even stored; the page's own limit is lower, and is told in a sentence.
_MAX_UPLOAD = "256mb"


@contextlib.contextmanager
def served(
    model: "ServedModel", host: str, port: int, examples: Sequence[Path] = (), provenance: bool = True
) -> Iterator[str]:
    """Serves the page while the context is entered.

    Args:
        model: which the page shows.
        host: address to serve it at.
        port: port to serve it at; 0 takes a free one.
        examples: images that are offered as sources.
        provenance: whether images say in their metadata that they are synthetic.

    Yields:
        The page's address.

    Raises:
        UserError: the port is in use.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    from stargan_tf.page import layout, theme

    port = free_port(host, port)
    blocks = layout.build(model, examples, provenance)
    # Events wait for one another, so that a user is told to wait and not turned away.
    blocks.queue(max_size=_MAX_WAITING, default_concurrency_limit=1)
    try:
        _, address, _ = blocks.launch(
            server_name=host,
            server_port=port,
            theme=theme.THEME,
            css=theme.CSS,
            js=layout.REFUSE_OTHERS,
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


def free_port(host: str, port: int) -> int:
    """Returns the port, or a free one for 0.

    Raises:
        UserError: the port is in use, or `host` is no address of this machine.
    """
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
def signalled() -> Iterator[threading.Event]:
    """Yields an event that SIGINT and SIGTERM set; a second signal interrupts at once."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
