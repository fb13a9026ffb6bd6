"""A page to try a model in the browser: `python -m stargan_tf.demo --model DIR` or `--server HOST:PORT`."""

import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Port
from stargan_tf.page.server import free_port, served, signalled

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
    model_name: str = "stargan"
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
    # Now, since loading the model takes a while.
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the package gradio is missing; `pip install stargan-tf[demo]` installs it")
    port = free_port(arguments.host, arguments.port)
    with contextlib.ExitStack() as stack:
        model = _load(arguments, stack)
        stop = stack.enter_context(signalled())
        address = stack.enter_context(served(model, arguments.host, port))
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        stop.wait()
    print("the page has ended", flush=True)


def _load(arguments: Arguments, stack: contextlib.ExitStack) -> "ServedModel":
    if arguments.server is not None:
        from stargan_tf.serving.client import GrpcClient

        model = stack.enter_context(GrpcClient(server=arguments.server, model=arguments.model_name))
    else:
        from stargan_tf.serving.served_model import LocalModel, newest_version

        assert arguments.model is not None  # checked by `run`
        path = newest_version(Path(arguments.model))  # first, so that a wrong directory is told at once
        with command_line.quiet_start():
            model = LocalModel(path)
    _ = model.card  # so that a server that does not answer is told before the page is there
    return model


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
