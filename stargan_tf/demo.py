"""A page to try a model in the browser: `python -m stargan_tf.demo --model DIR` or `--server HOST:PORT`."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stargan_tf.base import command_line, extras
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Port
from stargan_tf.page.server import free_port, served, signalled
from stargan_tf.serving.connection import Connection

if TYPE_CHECKING:
    from stargan_tf.serving.served_model import ServedModel

PROGRAM = "python -m stargan_tf.demo"
DESCRIPTION = (
    "Serves a page to try a model in the browser: choose an image, draw it in styles of a domain or in the style of a "
    "reference, and go from one style to another. The model is loaded, or asked at a server."
)


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
    command_line.check_ranges(arguments)
    if (arguments.model is None) == (arguments.server is None):
        given = "neither --model nor --server is given" if arguments.model is None else "--model and --server are given"
        raise UserError(f"{given}; give one of them, the directory of an exported model or HOST:PORT")
    # Before the model is loaded, which takes a while.
    extras.require("demo", "gradio")
    port = free_port(arguments.host, arguments.port)
    with contextlib.ExitStack() as stack:
        model = _load(arguments, stack)
        stop = stack.enter_context(signalled())
        address = stack.enter_context(served(model, arguments.host, port))
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        stop.wait()
    print("the page has ended", flush=True)


def _load(arguments: Arguments, stack: contextlib.ExitStack) -> "ServedModel":
    model: ServedModel
    if arguments.model is None:
        from stargan_tf.serving.client import GrpcClient

        model = stack.enter_context(GrpcClient(arguments.server, model=arguments.model_name))
    else:
        from stargan_tf.serving.served_model import LocalModel, newest_version

        path = newest_version(Path(arguments.model))  # before TensorFlow is imported: a wrong directory is told at once
        with command_line.quiet_start():
            model = LocalModel(path)
    _ = model.card  # a server that does not answer is told before the page is there
    return model


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
