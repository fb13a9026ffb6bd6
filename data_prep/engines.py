"""Runs a pipeline on an engine, and looks before whether there is one: Beam would wait for minutes."""

import contextlib
import shutil
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from stargan_tf.base import command_line
from stargan_tf.base.errors import TryAgainError, UserError
from stargan_tf.base.process import children

_SECONDS = 10.0
# By the runner's name: what Beam's flags for it begin with, and the one that says where the engine is.
_ENGINES = {"flinkrunner": ("flink", "flink_master"), "sparkrunner": ("spark", "spark_master_url")}


def check_engine(beam_flags: Sequence[str]) -> None:
    """Refuses an engine that is not there.

    Args:
        beam_flags: flags for Beam.

    Raises:
        UserError: Beam would start a job server, for which Java or its jar is missing.
        TryAgainError: nothing listens where the flags say that a job server or an engine does.
    """
    if not any(flag.startswith(("--runner", "--job_endpoint")) for flag in beam_flags):
        return
    with command_line.quiet_start():
        from apache_beam.options import pipeline_options as beam

    options = beam.PipelineOptions(list(beam_flags))
    runner = (options.view_as(beam.StandardOptions).runner or "").rpartition(".")[2]
    endpoint = options.view_as(beam.PortableOptions).job_endpoint
    if endpoint and endpoint != "embed":
        _check_listening("--job_endpoint", endpoint, "start the engine's job server there, or name where it is")
        return
    if runner.lower() not in _ENGINES:
        return
    engine, master_flag = _ENGINES[runner.lower()]
    of_engine = options.view_as(beam.FlinkRunnerOptions if engine == "flink" else beam.SparkRunnerOptions)
    if ":" in (master := getattr(of_engine, master_flag)):
        _check_listening(f"--{master_flag}", master, "start the engine, or name where it is")
    instead = "or start a job server elsewhere and give --runner=PortableRunner with its --job_endpoint"
    java = options.view_as(beam.JobServerOptions).job_server_java_launcher
    if not getattr(of_engine, f"{engine}_submit_uber_jar") and shutil.which(java) is None:
        raise UserError(
            f"--runner={runner} starts Beam's job server, and there is no {java!r} to do that; install Java, {instead}"
        )
    _check_jar(runner, engine, options, instead)


@contextlib.contextmanager
def run_pipeline(beam_flags: Sequence[str], here: bool) -> Iterator[Any]:
    """Runs the pipeline that a `with` block makes, when the block ends.

    Args:
        beam_flags: flags for Beam, complete.
        here: whether the workers are threads of this process.

    Yields:
        The pipeline, empty.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    if not here:
        _leave_workers_of_other_machines_alone()
    with contextlib.nullcontext() if here else children.ended_with_this_process():
        pipeline = beam.Pipeline(options=PipelineOptions(list(beam_flags)))
        yield pipeline
        _wait_for(pipeline.run())


def _wait_for(result: Any) -> None:
    """Waits until a job has ended; Ctrl-C ends it, since an engine would go on and keep other jobs waiting."""
    failures: list[Exception] = []

    def wait() -> None:
        try:
            result.wait_until_finish()
        except Exception as error:
            failures.append(error)

    # In a thread of its own: when it is interrupted itself, Beam closes the connection that canceling needs.
    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    try:
        waiter.join()
    except BaseException:
        with contextlib.suppress(Exception):
            result.cancel()
        raise
    if failures:
        raise failures[0]


def _leave_workers_of_other_machines_alone() -> None:
    """Mends `--environment_type=LOOPBACK` where an engine has several machines (Beam 2.77).

    Each machine numbers its workers from 1, and Beam's server of threads knows them by their numbers alone: the machine
    that is done first has it stop the worker of another, in the middle of its work. Threads end by themselves.
    """
    from apache_beam.portability.api import beam_fn_api_pb2
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer as Servicer

    stop = Servicer.StopWorker
    if stop.__module__ == __name__:
        return

    def stop_process(self: Any, request: Any, context: Any) -> Any:
        return stop(self, request, context) if self._use_process else beam_fn_api_pb2.StopWorkerResponse()

    Servicer.StopWorker = stop_process


def _check_listening(flag: str, address: str, remedy: str) -> None:
    parts = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.hostname is None or parts.port is None:
            raise ValueError
    except ValueError:
        raise UserError(f"{flag} is {address}; it must be HOST:PORT, as localhost:8099") from None
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=_SECONDS).close()
    except OSError as error:
        raise TryAgainError(f"nothing answers at {flag} {address} ({error.strerror or error}); {remedy}") from error


def _check_jar(runner: str, engine: str, options: object, instead: str) -> None:
    """Refuses a jar that is not there, or which Beam could not fetch."""
    with command_line.quiet_start():
        from apache_beam.runners.portability.flink_runner import FlinkJarJobServer
        from apache_beam.runners.portability.spark_runner import SparkJarJobServer
        from apache_beam.utils.subprocess_server import JavaJarServer

    flag = f"--{engine}_job_server_jar"
    try:
        jar = (FlinkJarJobServer if engine == "flink" else SparkJarJobServer)(options).path_to_jar()
    except ValueError:
        raise UserError(f"{flag} names no file, and no address that begins with https://") from None
    address = urllib.parse.urlsplit(jar)
    if not address.scheme.startswith("http") or (Path(JavaJarServer.JAR_CACHE) / Path(address.path).name).exists():
        return
    try:
        with contextlib.closing(urllib.request.urlopen(urllib.request.Request(jar, method="HEAD"), timeout=_SECONDS)):
            pass
    except OSError as error:
        problem = getattr(error, "reason", None) or error
        raise UserError(
            f"--runner={runner} needs the jar of Beam's job server, which cannot be fetched from {jar} ({problem}); "
            f"name one with {flag}, {instead}"
        ) from error
