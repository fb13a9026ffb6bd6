"""The command."""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stargan_tf.base import command_line
from stargan_tf.base.errors import UserError
from stargan_tf.serving import deployment
from stargan_tf.serving.client import GrpcClient, RestClient
from stargan_tf.serving.served_model import LocalModel
from tests.serve_check import answers, container, operation
from tests.serve_check.table import Table

PROGRAM = "python -m tests.serve_check"
DESCRIPTION = "Starts TF Serving with an exported model and checks what it answers."

_PATIENCE = 120.0


@dataclass(frozen=True)
class Arguments:
    """The command line.

    Args:
        models: directory of an exported model, with serving/ in it.
        grpc: host and port of a server that runs already and is not started here; needs --rest.
        rest: its host and port for REST.
    """

    models: str
    grpc: str | None = None
    rest: str | None = None


def run(arguments: Arguments) -> int:
    """Starts the server, checks, and stops it.

    Returns:
        0 if all is well, 1 if a check failed.

    Raises:
        UserError: there is no exported model, no Docker, or the server does not start.
    """
    directory = Path(arguments.models).resolve()
    config = directory / deployment.DIRECTORY / deployment.MODELS_CONFIG
    if not config.is_file():
        raise UserError(f"there is no {str(config)!r}; `python -m stargan_tf.export` writes it with a model")
    if (arguments.grpc is None) != (arguments.rest is None):
        raise UserError("--grpc and --rest belong together; give both for a server that runs, or none to start one")
    if arguments.grpc is not None and arguments.rest is not None:
        return check(directory, arguments.grpc, arguments.rest).end()
    container.find_docker()
    # A copy, since the roll-out adds a version and moves labels.
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / directory.name
        shutil.copytree(directory, copied)
        Path(folder).chmod(0o755)
        with container.container(copied / deployment.DIRECTORY / "compose.yaml") as logs:
            return check(copied, container.GRPC, container.REST, logs, poll=deployment.POLL_SECONDS).end()


def check(
    directory: Path, grpc: str, rest: str, logs: Callable[[], str] | None = None, poll: float | None = None
) -> Table:
    """Runs all checks.

    Args:
        directory: of the model.
        grpc: host and port of the server.
        rest: the same for REST.
        logs: reads the server's log, if it can be had.
        poll: seconds from one look of the server at its models.config to the next, if the directory is a copy of which
            versions may be added and labels moved.

    Returns:
        The table, printed already.
    """
    with command_line.quiet_start():
        name, labels = _read_config(directory / deployment.DIRECTORY / deployment.MODELS_CONFIG)
        local = LocalModel(directory / str(labels["stable"]))
        asked = answers.cases(local)
    table = Table()
    operation.check_health(table, name, rest, labels)
    by_grpc = partial(GrpcClient, server=grpc, model=name, timeout=_PATIENCE)
    by_rest = partial(RestClient, server=rest, model=name, timeout=_PATIENCE)
    for protocol, connect in (("gRPC", by_grpc), ("REST", by_rest)):
        answers.check_answers(table, protocol, connect, local, asked, labels)
    translated = asked["translate_latent"]
    with by_grpc(label="stable") as client:
        operation.check_rows(table, client, local, translated, rest, directory / deployment.DIRECTORY)
        operation.check_merging(table, client, local, translated, rest)
    operation.check_counters(table, rest)
    if logs is None:
        table.not_run("warm-up at load", "the log of a server that was not started here is not to be had")
    else:
        records = re.findall(r"warmup records read: (\d+)", logs())
        warmed = any(int(number) > 0 for number in records)
        table.row("warm-up at load", warmed, f"records: {records or 'not in the log'}", "more than 0 in the log")
    if poll is None:
        table.not_run("roll-out and roll-back", "they move labels, which is done to no server that runs already")
    else:
        right = partial(answers.answer_of_stable, by_grpc, local, translated)
        operation.check_roll_back(table, directory, labels, by_grpc, right, poll)
    return table


def _read_config(path: Path) -> tuple[str, dict[str, int]]:
    """Returns the name of the model, and the versions by label."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(path.read_text(), model_server_config_pb2.ModelServerConfig()).model_config_list.config
    if len(config) != 1 or "stable" not in config[0].version_labels:
        raise UserError(f"{str(path)!r} must have one model with the label stable")
    return config[0].name, dict(config[0].version_labels)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` are the arguments without the program's name, by default those of the process."""
    return command_line.main(Arguments, run, PROGRAM, DESCRIPTION, argv)
