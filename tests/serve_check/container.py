"""TF Serving in a container, by the compose.yaml of the model."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stargan_tf.base.errors import UserError

GRPC, REST = "127.0.0.1:8500", "127.0.0.1:8501"

# Of its own, so that a server of the same model that is in use is neither found nor stopped.
_PROJECT = "stargan-serve-check"
_SERVICE = "serving"
_START_SECONDS = 900


def find_docker() -> None:
    """Raises UserError if there is no Docker Compose 2 that works."""
    if shutil.which("docker") is None:
        raise UserError("Docker is missing: there is no command `docker`; this check starts TF Serving by it")
    for command, what in ((["compose", "version"], "Docker Compose 2 is missing"), (["info"], "Docker does not run")):
        result = subprocess.run(["docker", *command], capture_output=True, text=True)
        if result.returncode:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[0]
            raise UserError(f"{what}: `docker {' '.join(command)}` failed and said: {said}")


@contextmanager
def container(compose: Path) -> Iterator[Callable[[], str]]:
    """Runs the server until the block ends, however it ends; gives a function that reads its log."""
    command = ["docker", "compose", "--project-name", _PROJECT, "--file", str(compose)]
    environment = os.environ | {"TF_SERVING_ADDRESS": "127.0.0.1"}

    def logs() -> str:
        result = subprocess.run([*command, "logs", "--no-color", _SERVICE], capture_output=True, text=True)
        return result.stdout + result.stderr

    try:
        wait = ["--wait", "--wait-timeout", str(_START_SECONDS)]
        if subprocess.run([*command, "up", "--detach", *wait, _SERVICE], env=environment).returncode:
            print(logs()[-4000:], file=sys.stderr)
            raise UserError("TF Serving did not start or was not healthy in time; its log is above")
        yield logs
    finally:
        subprocess.run([*command, "down", "--timeout", "10"], env=environment)
