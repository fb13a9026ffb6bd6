"""A real Flink and a real Spark on this machine, as a script `engine` starts them, which this repository has not."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "STARGAN_TF_ENGINES"  # the environment variable with the folder of the script
_ENDPOINTS = {"flink": "localhost:8099", "spark": "localhost:8199"}
_FLINK = "http://localhost:8081"


@dataclass
class Engine:
    """An engine with two workers that are processes of their own.

    Args:
        script: the script that starts and stops it.
        kind: "flink" or "spark".
        directory: for its files and logs.
        network: memory of a worker of Flink for exchanges between tasks; 128m is what Flink gives one of default size.
    """

    script: Path
    kind: str
    directory: Path
    network: str = "128m"

    def __enter__(self) -> "Engine":
        try:
            self._do("start")
        except subprocess.CalledProcessError:  # it waits for a minute, which a busy machine may need longer than
            if not self._is_ready(within=180):
                self._do("stop")
                self._do("start")
        return self

    def __exit__(self, *_: object) -> None:
        self._do("stop")

    def flags(self) -> list[str]:
        """Returns the flags for Beam that name it."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint={_ENDPOINTS[self.kind]}",
            "--environment_type=LOOPBACK",
            "--environment_cache_millis=600000",
            "--parallelism=4",
        ]

    def fail(self, worker: int) -> None:
        """Kills one of the workers, and starts it again."""
        self._do("kill", str(worker))
        self._do("worker", str(worker))

    def jobs(self) -> list[dict]:
        """Returns what Flink knows of its jobs, the newest last: tasks, duration in milliseconds, exceptions."""
        jobs = sorted(_ask("/jobs/overview")["jobs"], key=lambda job: job["start-time"])
        for job in jobs:
            job["exceptions"] = _ask(f"/jobs/{job['jid']}/exceptions")["exceptionHistory"]["entries"]
        return jobs

    def logs(self) -> str:
        """Returns what all of its processes wrote."""
        return "".join(file.read_text(errors="replace") for file in sorted(self.directory.glob("*.log")))

    def _is_ready(self, within: float) -> bool:
        end = time.monotonic() + within
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("localhost", int(_ENDPOINTS[self.kind].partition(":")[2]))).close()
                if self.kind != "flink" or _ask("/overview")["taskmanagers"] == 2:
                    return True
            time.sleep(1)
        return False

    def _do(self, *verb: str) -> None:
        command = [self.script, self.kind, verb[0], self.directory, *verb[1:]]
        environment = {**os.environ, "FLINK_NETWORK": self.network}
        with (self.directory.parent / f"{self.kind}.out").open("a") as out:  # no pipe, which its processes would keep
            subprocess.run(list(map(str, command)), check=True, env=environment, stdout=out, stderr=out)


def _ask(path: str) -> dict:
    with urllib.request.urlopen(_FLINK + path, timeout=10) as answer:
        return json.load(answer)


def run_job(module: str, flags: list[str], engine: Engine | None, fail_after: float | None = None) -> tuple[int, str]:
    """Runs a job as users do.

    Args:
        module: "data_prep.images_to_tfrecords" or another.
        flags: its own.
        engine: where it runs; by default in one process.
        fail_after: seconds after which a worker of the engine is killed, if the job still runs.

    Returns:
        The exit code, and what it printed.
    """
    beam_flags = ["--", *engine.flags()] if engine else []
    job = subprocess.Popen(
        [sys.executable, "-m", module, *flags, *beam_flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    ended = threading.Event()

    def fail() -> None:
        assert engine is not None and fail_after is not None
        if not ended.wait(fail_after):
            engine.fail(2)

    killer = threading.Thread(target=fail) if fail_after is not None else None
    if killer:
        killer.start()
    said, _ = job.communicate()
    ended.set()
    if killer:
        killer.join()
    return job.returncode, said


def moments(count: int, seconds: float, seed: int = 0) -> Iterator[float]:
    """Yields random moments of a job that takes some seconds, each in a part of its own of the time."""
    generator = random.Random(seed)
    for index in range(count):
        yield seconds * (index + generator.random()) / count
