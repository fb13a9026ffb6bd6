"""Which of TF Serving's protocols a command speaks."""

import dataclasses
import os
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from stargan_tf.base import command_line
from stargan_tf.serving.connection import Connection
from stargan_tf.serving.grpc_client import GrpcClient
from stargan_tf.serving.remote_model import Client
from stargan_tf.serving.rest_client import RestClient

CLIENTS: dict[str, type[Client]] = {"grpc": GrpcClient, "rest": RestClient}


@dataclass(frozen=True, kw_only=True)
class ServerFlags(Connection):
    """The flags of commands that ask a server.

    Args:
        server: host and port of TF Serving, like localhost:8500, or its address, https://example.org:8500.
        protocol: grpc (port 8500 as a rule) or rest (8501).
        headers: sent with every call, each as `NAME: VALUE`, like "Authorization: Bearer ${env:TOKEN}": `${env:NAME}`
            is an environment variable and `${file:PATH}` what a file holds, which keep secrets out of the command line.
    """

    SCHEMES: ClassVar[tuple[str, ...]] = ("server",)  # an address

    server: str = field()  # required here: without `field()` the default is inherited
    protocol: Literal["grpc", "rest"] = "grpc"
    headers: list[str] = field(default_factory=list, repr=False)


def connect(flags: ServerFlags) -> Client:
    """Makes the client that the flags ask for."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # the client says in one sentence what went wrong
    settings = {field.name: getattr(flags, field.name) for field in dataclasses.fields(Connection)}
    with command_line.quiet_start():
        return CLIENTS[flags.protocol](**settings)
