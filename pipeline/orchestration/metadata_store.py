"""The metadata store: the connection, what killed runs left in it, and which artifact came from which."""

import contextlib
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_metadata
from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as proto

from pipeline import artifacts
from pipeline.configuration import MetadataSettings
from pipeline.model_fingerprint import fingerprint
from pipeline.orchestration.model_artifacts import fingerprint_of
from stargan_tf.base.errors import TryAgainError, UserError

_INPUT = "input_fingerprint"
_SQLITE_FILE = "metadata.sqlite"
_PORTS = {"mysql": 3306, "postgresql": 5432}
_SECONDS_TO_CONNECT = 10.0
# Types of contexts, as TFX names them.
_PIPELINE, _RUN, _NODE = "pipeline", "pipeline_run", "node"
_ROOT = "root"  # a property of a pipeline, of this project's own


class LostServerError(TryAgainError):
    """The metadata server was there and is gone."""


def connection_config(settings: MetadataSettings, root: Path) -> proto.ConnectionConfig:
    """Makes the configuration of a connection to ML Metadata.

    Args:
        settings: checked.
        root: directory of the pipeline, for SQLite.

    Returns:
        The configuration.
    """
    config = proto.ConnectionConfig()
    if settings.kind == "sqlite":
        config.sqlite.filename_uri = str(root / _SQLITE_FILE)
        config.sqlite.connection_mode = proto.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return config
    port, password = settings.port or _PORTS[settings.kind], settings.password()
    if settings.kind == "mysql":
        config.mysql.host, config.mysql.port, config.mysql.database = settings.host, port, settings.database
        config.mysql.user, config.mysql.password = settings.user, password
    else:
        server = config.postgresql
        server.host, server.port, server.dbname = settings.host, str(port), settings.database
        server.user, server.password = settings.user, password
    return config


def open_history(connection: proto.ConnectionConfig, name: str) -> "History":
    """Connects to the store.

    Args:
        connection: see `connection_config`.
        name: name of the pipeline.

    Returns:
        The pipeline in the store.

    Raises:
        TryAgainError: the server cannot be reached.
        UserError: it does not take the user, the password or the name of the database.
    """
    server = _server(connection)
    if server is None:
        return History(ml_metadata.MetadataStore(connection), name)
    host, port, user, database = server
    try:  # of its own, since ML Metadata tells nothing of why it failed
        socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT).close()
    except OSError as error:
        raise TryAgainError(
            f"the metadata server {host}:{port} cannot be reached: {error.strerror or error}"
        ) from error
    try:
        return History(ml_metadata.MetadataStore(connection), name)
    except (RuntimeError, errors.StatusError) as error:
        raise UserError(
            f"the metadata server {host}:{port} does not let the user {user} into the database {database}; look at "
            "metadata.user, metadata.database and the password"
        ) from error


@contextlib.contextmanager
def lost_server_told(connection: proto.ConnectionConfig) -> Iterator[None]:
    """Tells in a sentence that the server was lost while the block ran.

    Raises:
        LostServerError: it was.
    """
    try:
        yield
    except (RuntimeError, errors.StatusError) as error:
        if (server := _server(connection)) is None or not _is_of_store(error):
            raise
        host, port, *_ = server
        raise LostServerError(
            f"the metadata server {host}:{port} was lost; the same command goes on where the run stopped"
        ) from error


def _is_of_store(error: Exception) -> bool:
    """Returns whether ML Metadata raised an error: as one of its own, or while it connected, as a common one."""
    return (
        isinstance(error, errors.StatusError) or "metadata source" in str(error) or "mysql_real_connect" in str(error)
    )


def _server(connection: proto.ConnectionConfig) -> tuple[str, int, str, str] | None:
    """Returns host, port, user and database; None for a file."""
    if connection.HasField("mysql"):
        mysql = connection.mysql
        return mysql.host, mysql.port, mysql.user, mysql.database
    if connection.HasField("postgresql"):
        postgresql = connection.postgresql
        return postgresql.host, int(postgresql.port), postgresql.user, postgresql.dbname
    return None


@dataclass(frozen=True)
class StageExecution:
    """One execution of a stage.

    Args:
        id: number of the execution.
        stage: name of the stage.
        state: COMPLETE, CACHED, FAILED or RUNNING.
        started: milliseconds since 1970.
        finished: milliseconds since 1970.
        parameters: what the stage was given besides artifacts.
        inputs: artifacts by key.
        outputs: artifacts by key.
    """

    id: int
    stage: str
    state: str
    started: int
    finished: int
    parameters: dict[str, Any]
    inputs: dict[str, proto.Artifact]
    outputs: dict[str, proto.Artifact]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished - self.started) / 1000


class History:
    """One pipeline in the store.

    Args:
        store: the open store.
        name: name of the pipeline.
    """

    def __init__(self, store: ml_metadata.MetadataStore, name: str):
        self._store = store
        self._name = name

    def claim(self, root: Path) -> None:
        """Notes where the pipeline works, so that no other machine or directory takes its unfinished stages for killed.

        Args:
            root: directory of the pipeline.

        Raises:
            UserError: it works in another one.
        """
        context = self._store.get_context_by_type_and_name(_PIPELINE, self._name) or self._begin()
        noted, here = context.custom_properties[_ROOT].string_value, str(root)
        if noted and noted != here and self._store.get_executions_by_context(context.id):
            raise UserError(
                f"the pipeline {self._name!r} of this metadata store has the root {noted}, and this one is {here}; "
                "give it another name, or that root"
            )
        if noted != here:
            context.custom_properties[_ROOT].string_value = here
            self._store.put_contexts([context])

    def _begin(self) -> proto.Context:
        """Makes what TFX's first run would make, so that already that run is noted."""
        type_id = self._store.put_context_type(proto.ContextType(name=_PIPELINE), can_add_fields=True)
        with contextlib.suppress(errors.AlreadyExistsError):  # another machine was sooner by a moment
            self._store.put_contexts([proto.Context(type_id=type_id, name=self._name)])
        return self._store.get_context_by_type_and_name(_PIPELINE, self._name)

    def clear_killed(self, root: Path) -> int:
        """Marks executions that never ended as failed, and removes their unfinished artifacts.

        To be called while no other run uses the pipeline.

        Args:
            root: directory of the artifacts.

        Returns:
            Their number.
        """
        killed = [
            execution
            for execution in self._executions()
            if execution.last_known_state in (proto.Execution.NEW, proto.Execution.RUNNING)
        ]
        for execution in killed:
            # Files first: if this process is killed in between, the next one still finds the execution.
            for pattern in (f"*/*/{execution.id}", f"*/*/.{execution.id}.*", f"*/.system/*/{execution.id}"):
                for path in root.glob(pattern):
                    shutil.rmtree(path)
            execution.last_known_state = proto.Execution.FAILED
            execution.custom_properties["error"].string_value = "the process was killed"
        if killed:
            self._store.put_executions(killed)
        return len(killed)

    def record_failure(self, reason: str, after: int) -> None:
        """Adds to executions that failed, of which TFX records only that they did, the reason.

        Args:
            reason: a sentence.
            after: number of the newest execution before the run.
        """
        failed = [
            execution
            for execution in self._executions()
            if execution.id > after and execution.last_known_state == proto.Execution.FAILED
        ]
        for execution in failed:
            execution.custom_properties["error"].string_value = reason
        if failed:
            self._store.put_executions(failed)

    def newest_execution(self) -> int:
        """Returns the number of the newest execution, 0 if there is none."""
        return max((execution.id for execution in self._executions()), default=0)

    def last_run(self) -> list[StageExecution]:
        """Returns the executions of the stages of the newest run, in order."""
        newest = self.newest_execution()
        if not newest:
            return []
        contexts = self._store.get_contexts_by_execution(newest)
        run = next(context for context in contexts if context.type == _RUN)
        return self._describe(self._store.get_executions_by_context(run.id))

    def producer(self, artifact_id: int) -> StageExecution | None:
        """Returns the execution that made an artifact, which is not one that took it from the cache."""
        events = self._store.get_events_by_artifact_ids([artifact_id])
        ids = [event.execution_id for event in events if event.type == proto.Event.OUTPUT]
        made = [
            execution
            for execution in self._store.get_executions_by_id(ids)
            if execution.last_known_state == proto.Execution.COMPLETE
        ]
        return self._describe(made)[0] if made else None

    def find_model(self, content: str) -> Path | None:
        """Returns the SavedModel with a fingerprint, if one is still there."""
        for model in reversed(self.artifacts("Model")):
            path = Path(model.uri) / artifacts.SERVING_MODEL
            if fingerprint_of(model) == content and path.is_dir() and fingerprint(path) == content:
                return path
        return None

    def data_version(self, input_fingerprint: str) -> int:
        """Returns the number of a set of images among all that examples were made of, from 1; a new one is the next."""
        seen = [examples.custom_properties[_INPUT].string_value for examples in self.artifacts("Examples")]
        known = list(dict.fromkeys(seen))
        return (known.index(input_fingerprint) if input_fingerprint in known else len(known)) + 1

    def artifacts(self, type_name: str) -> list[proto.Artifact]:
        """Returns all artifacts of a type that the pipeline made, oldest first."""
        context = self._store.get_context_by_type_and_name(_PIPELINE, self._name)
        if context is None:
            return []
        known = {kind.id: kind.name for kind in self._store.get_artifact_types()}
        found = self._store.get_artifacts_by_context(context.id)
        return sorted((a for a in found if known.get(a.type_id) == type_name), key=lambda artifact: artifact.id)

    def _executions(self) -> Sequence[proto.Execution]:
        context = self._store.get_context_by_type_and_name(_PIPELINE, self._name)
        return () if context is None else self._store.get_executions_by_context(context.id)

    def _describe(self, executions: Iterable[proto.Execution]) -> list[StageExecution]:
        executions = sorted(executions, key=lambda execution: execution.id)
        kinds = {kind.id: kind.name for kind in self._store.get_execution_types()}
        result = []
        for execution in executions:
            ends: dict[int, dict[str, proto.Artifact]] = {proto.Event.INPUT: {}, proto.Event.OUTPUT: {}}
            events = self._store.get_events_by_execution_ids([execution.id])
            artifacts = {a.id: a for a in self._store.get_artifacts_by_id([event.artifact_id for event in events])}
            for event in events:
                key = next((step.key for step in event.path.steps if step.key), "")
                if event.type in ends and event.artifact_id in artifacts:
                    ends[event.type][key] = artifacts[event.artifact_id]
            result.append(
                StageExecution(
                    id=execution.id,
                    stage=self._stage(execution, kinds),
                    state=proto.Execution.State.Name(execution.last_known_state),
                    started=execution.create_time_since_epoch,
                    finished=execution.last_update_time_since_epoch,
                    parameters={
                        name: getattr(value, value.WhichOneof("value"))
                        for name, value in (*execution.properties.items(), *execution.custom_properties.items())
                        if value.WhichOneof("value")
                    },
                    inputs=ends[proto.Event.INPUT],
                    outputs=ends[proto.Event.OUTPUT],
                )
            )
        return result

    def _stage(self, execution: proto.Execution, kinds: dict[int, str]) -> str:
        """The id of the stage's node; if the node has no context, the last part of its type."""
        for context in self._store.get_contexts_by_execution(execution.id):
            if context.type == _NODE:
                return context.name.removeprefix(f"{self._name}.")
        return kinds.get(execution.type_id, "").rpartition(".")[2]
