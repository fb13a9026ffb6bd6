"""What killed runs leave in the metadata store and on the disk."""

import pytest

pytest.importorskip("ml_metadata", reason="TFX is not installed; make .venv/tfx does that")

import ml_metadata
from ml_metadata.proto import metadata_store_pb2 as proto

from pipeline.configuration import MetadataSettings
from pipeline.orchestration.metadata_store import History, connection_config

STATES = (proto.Execution.COMPLETE, proto.Execution.RUNNING)


@pytest.fixture
def store(tmp_path):
    """A store with two pipelines, each with an execution that ended and one that did not."""
    store = ml_metadata.MetadataStore(connection_config(MetadataSettings(), tmp_path))
    kind = store.put_execution_type(proto.ExecutionType(name="stage"))
    context_kind = store.put_context_type(proto.ContextType(name="pipeline"))
    for name in ("mine", "other"):
        (context,) = store.put_contexts([proto.Context(type_id=context_kind, name=name)])
        executions = store.put_executions([proto.Execution(type_id=kind, last_known_state=state) for state in STATES])
        store.put_attributions_and_associations(
            [], [proto.Association(context_id=context, execution_id=execution) for execution in executions]
        )
    return store


def test_what_was_killed_is_failed_and_its_files_are_gone(store, tmp_path):
    root = tmp_path / "artifacts"
    for name in ("Trainer/model/1", "Trainer/model/2", "Trainer/model/.2.partial-host-7", "Trainer/model/22"):
        (root / name).mkdir(parents=True)
        (root / name / "file").touch()
    (root / "Trainer" / ".system" / "executor_execution" / "2").mkdir(parents=True)
    history = History(store, "mine")
    assert history.clear_killed(root) == 1
    assert sorted(path.name for path in (root / "Trainer" / "model").iterdir()) == ["1", "22"]
    assert not (root / "Trainer" / ".system" / "executor_execution" / "2").exists()
    states = [execution.last_known_state for execution in store.get_executions()]
    # That of the other pipeline may be at work.
    assert states == [*(proto.Execution.COMPLETE, proto.Execution.FAILED), *STATES]
    assert history.clear_killed(root) == 0


def test_of_a_pipeline_that_never_ran_nothing_is_known(store, tmp_path):
    history = History(store, "third")
    assert history.clear_killed(tmp_path) == 0
    assert history.last_run() == []
    assert history.artifacts("Model") == []


def test_a_server_is_reached_with_the_password_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    settings = {"host": "db", "database": "lineage", "user": "me", "password_variable": "SECRET"}
    mysql = connection_config(MetadataSettings("mysql", **settings), tmp_path).mysql
    assert (mysql.host, mysql.port, mysql.database, mysql.user, mysql.password) == (
        "db",
        3306,
        "lineage",
        "me",
        "s3cret",
    )
    postgresql = connection_config(MetadataSettings("postgresql", **settings, port=5433), tmp_path).postgresql
    assert (postgresql.host, postgresql.port, postgresql.dbname) == ("db", "5433", "lineage")
