"""Artifacts of the first stages, made of the small data directory by the stages themselves."""

import shutil
from pathlib import Path

import pytest

from pipeline.components import schema_gen, statistics_gen


@pytest.fixture(scope="session")
def statistics_path(data_path, tmp_path_factory) -> Path:
    """ExampleStatistics of `data_path`; not to be changed."""
    path = tmp_path_factory.mktemp("statistics_gen") / "statistics"
    statistics_gen.run(statistics_gen.Arguments(str(data_path), str(path), verify=True))
    return path


@pytest.fixture(scope="session")
def schema_path(statistics_path) -> Path:
    """Schema of `data_path`; not to be changed."""
    path = statistics_path.parent / "schema"
    schema_gen.run(schema_gen.Arguments(str(statistics_path), str(path)))
    return path


@pytest.fixture(scope="session")
def model_path(trained_run, exported_model, tmp_path_factory) -> Path:
    """Model of `trained_run`, as the Trainer leaves it; not to be changed."""
    path = tmp_path_factory.mktemp("trainer") / "model"
    shutil.copytree(trained_run, path / "run")
    shutil.copytree(exported_model / "1", path / "Format-Serving")
    return path
