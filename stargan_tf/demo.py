"""A page to try a model in the browser: `python -m stargan_tf.demo [--model DIR | --server HOST:PORT]`."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from stargan_tf.base import command_line, extras, progress
from stargan_tf.base.errors import UserError
from stargan_tf.base.ranges import Port
from stargan_tf.data.images import evenly_spread
from stargan_tf.inference.inputs import find_images
from stargan_tf.page.server import free_port, served, signalled
from stargan_tf.runs import named_runs
from stargan_tf.serving import shipped_model
from stargan_tf.serving.connection import Connection

if TYPE_CHECKING:
    from stargan_tf.serving.served_model import ServedModel

PROGRAM = "python -m stargan_tf.demo"
DESCRIPTION = (
    "Serves a page to try a model in the browser: choose an image, draw it in styles of a domain or in the style of a "
    "reference, and go from one style to another. The model is loaded, or asked at a server."
)

_MAX_EXAMPLES = 24


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        model: directory of an exported model or of one of its versions, which is loaded; by default, and as `leaves`,
            the one that is shipped.
        server: HOST:PORT of TF Serving's gRPC interface, which is asked instead.
        model_name: name of the model at the server.
        tls: encrypt the connection with the server, as for https:// and where certificates are given.
        root_certificates: PEM file with the certificates that the server's is trusted by.
        client_certificate: PEM file with the certificate that shows the server who asks; together with its key.
        client_key: PEM file with the key of that certificate.
        headers: sent to the server with every call, each as `NAME: VALUE`, in which `${env:NAME}` is an environment
            variable and `${file:PATH}` what a file holds.
        host: address to serve the page at; 0.0.0.0 shows it to the network.
        port: port to serve the page at; 0 takes a free one.
        provenance: whether images say in their metadata that they are synthetic, and what made them.
        examples: folder with images that the page offers as sources; by default those that come with a shipped model.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("model", "server")  # on a store, at an address

    model: str | None = None
    server: str | None = None
    model_name: str = Connection.model
    tls: bool = False
    root_certificates: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    headers: list[str] = field(default_factory=list, repr=False)
    host: str = "127.0.0.1"
    port: Port = 7860
    provenance: bool = True
    examples: str | None = None


def run(arguments: Arguments) -> None:
    """Serves the page until SIGINT (Ctrl-C) or SIGTERM.

    Args:
        arguments: the command line.

    Raises:
        UserError: a mistake in the arguments, gradio is missing, no model, no answer of the server, or a port in use.
    """
    command_line.check_ranges(arguments)
    if arguments.model is not None and arguments.server is not None:
        raise UserError(
            "--model and --server are given; give one of them, the directory of an exported model or HOST:PORT"
        )
    # Before the model is loaded, which takes a while.
    extras.require("demo", "gradio")
    port = free_port(arguments.host, arguments.port)
    shown = arguments.model or named_runs.SHIPPED[0]
    examples = _examples(arguments, shown)
    with contextlib.ExitStack() as stack:
        model = _load(arguments, shown, stack)
        if arguments.server is None:  # a server does it before it takes a version into use
            from stargan_tf.page.actions import Actions

            with progress.waiting("warming up the model"):
                Actions(model).warm_up()
        stop = stack.enter_context(signalled())
        address = stack.enter_context(served(model, arguments.host, port, examples, arguments.provenance))
        print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
        stop.wait()
    print("the page has ended", flush=True)


def _examples(arguments: Arguments, shown: str) -> list[Path]:
    if arguments.examples is not None:
        return evenly_spread(find_images(Path(arguments.examples), "--examples"), _MAX_EXAMPLES)
    return shipped_model.photographs(shown) if arguments.server is None else []


def _load(arguments: Arguments, shown: str, stack: contextlib.ExitStack) -> "ServedModel":
    model: ServedModel
    if arguments.server is not None:
        from stargan_tf.serving.client import GrpcClient

        names = ("tls", "root_certificates", "client_certificate", "client_key", "headers")
        settings = {name: getattr(arguments, name) for name in names}
        model = stack.enter_context(GrpcClient(arguments.server, model=arguments.model_name, **settings))
    else:
        from stargan_tf.serving.served_model import LocalModel, newest_version

        # Before TensorFlow is imported: a wrong directory is told at once.
        path = newest_version(shipped_model.find(shown))
        with command_line.quiet_start():
            model = LocalModel(path)
    _ = model.card  # a server that does not answer is told before the page is there
    return model


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)


if __name__ == "__main__":
    sys.exit(main())
