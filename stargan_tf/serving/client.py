"""Client of a model served by TF Serving: `python -m stargan_tf.serving.client --server HOST:PORT translate ...`.

From Python:

    with GrpcClient("localhost:8500") as client:
        cats = client.translate_latent(photo, "cat", seeds=range(8))
"""

import dataclasses
import sys
from collections.abc import Sequence

from stargan_tf.base import command_line
from stargan_tf.base.command_line import Mode
from stargan_tf.serving.grpc_client import GrpcClient
from stargan_tf.serving.protocols import ServerFlags, connect
from stargan_tf.serving.remote_model import Client
from stargan_tf.serving.rest_client import RestClient
from stargan_tf.serving.translate_file import Translate, translate

__all__ = ["Client", "GrpcClient", "RestClient"]

PROGRAM = "python -m stargan_tf.serving.client"
DESCRIPTION = "Asks a model that TF Serving serves. The flags of the connection may stand before the action, too."


def show_domains(flags: ServerFlags) -> None:
    """Prints the domains and the main facts of the model card."""
    with connect(flags) as client:
        card = client.card
    for name, value in card.items():
        if isinstance(value, list) and not any(isinstance(entry, dict) for entry in value):
            print(f"{name}: {', '.join(map(str, value))}")
        elif isinstance(value, str | int | float):
            print(f"{name}: {value}")


def show_status(flags: ServerFlags) -> None:
    """Prints the versions that are served, with their states."""
    with connect(flags) as client:
        for version, state in sorted(client.status().items()):
            print(f"version {version}: {state}")


ACTIONS = {
    "translate": Mode(Translate, translate, "Translates an image into another domain."),
    "domains": Mode(ServerFlags, show_domains, "Prints the domains and the main facts of the model card."),
    "status": Mode(ServerFlags, show_status, "Prints the versions that are served, with their states."),
}


_WITHOUT_VALUE = {"-h", "--help", "--print_config", "--print-config"} | {
    f"--{field.name}" for field in dataclasses.fields(Translate) if field.type is bool
}


def _action(argv: Sequence[str]) -> int | None:
    """Finds the action: the first word that is neither a flag nor the value of one; a list may have several values."""
    value_follows = False
    words = []
    for index, word in enumerate(argv):
        if not value_follows and not word.startswith("-"):
            words.append(index)
            continue
        takes_value = "=" not in word and word not in _WITHOUT_VALUE
        value_follows = not value_follows and takes_value
    return next((index for index in words if argv[index] in ACTIONS), words[0] if words else None)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    argv = list(sys.argv[1:] if argv is None else argv)
    index = _action(argv)
    if index is None:  # without an action no flag but --help has a meaning
        argv = [word for word in argv if word in ("-h", "--help")]
    else:
        argv.insert(0, argv.pop(index))
    return command_line.main_of_modes(ACTIONS, PROGRAM, DESCRIPTION, argv, noun="action")


if __name__ == "__main__":
    sys.exit(main())
