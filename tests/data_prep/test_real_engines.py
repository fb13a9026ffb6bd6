"""The same bytes from a real Flink and a real Spark as from one process, also when a worker is killed in the middle."""

import os
from pathlib import Path

import pytest

from tests.data_prep.jobs import read_all, write_images
from tests.data_prep.real_engines import FOLDER, Engine, run_job

pytestmark = pytest.mark.beyond

PREPARE, TRANSLATE = "data_prep.images_to_tfrecords", "data_prep.translate_images"
SIZES = ("--image_size", "64", "--examples_per_shard", "16")


@pytest.fixture(scope="module", params=["flink", "spark"])
def engine(request, tmp_path_factory):
    """An engine with two workers; of Flink, with as little memory for exchanges as it gives a worker by default."""
    script = Path(os.environ.get(FOLDER, "/nowhere")).resolve() / "engine"
    if not script.exists():
        pytest.skip(f"no folder of engines: {FOLDER} names none with a script 'engine'")
    with Engine(script, request.param, tmp_path_factory.mktemp("engine") / request.param) as engine:
        yield engine


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Images of two domains, with a bad one and a duplicate, for many shards."""
    return write_images(tmp_path_factory.mktemp("engines") / "source", 100, 96, 128)


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """What one process writes."""
    output = tmp_path_factory.mktemp("engines") / "output"
    code, said = run_job(PREPARE, ["--input", str(source), "--output", str(output), *SIZES], None)
    assert code == 0, said
    return read_all(output)


def test_the_job_with_a_dead_worker(engine, source, expected, tmp_path):
    flags = ["--input", str(source), *SIZES]
    if engine.kind == "flink":
        code, said = run_job(PREPARE, [*flags, "--output", str(tmp_path / "a")], engine)
        assert code == 0, said
        assert read_all(tmp_path / "a") == expected
        (job,) = engine.jobs()
        assert job["tasks"]["total"] <= 60
        assert "SDK harness closed connection" not in engine.logs()  # as when one machine stops a worker of another
        assert "Insufficient number of network buffers" not in engine.logs()
    code, said = run_job(PREPARE, [*flags, "--output", str(tmp_path / "b")], engine, fail_after=12)
    assert code == 0, said
    assert read_all(tmp_path / "b") == expected


@pytest.mark.parametrize("engine", ["flink"], indirect=True)  # the steps differ from those above, not the engines
def test_bulk_translation_with_a_dead_worker(engine, exported_model, source, tmp_path):
    flags = ["--model", str(exported_model), "--input", str(source), "--domain", "circle"]
    flags += ["--translations_per_shard", "16"]
    code, said = run_job(TRANSLATE, [*flags, "--output", str(tmp_path / "a"), "--processes", "1"], None)
    assert code == 0, said
    code, said = run_job(TRANSLATE, [*flags, "--output", str(tmp_path / "b")], engine, fail_after=15)
    assert code == 0, said
    assert read_all(tmp_path / "b") == read_all(tmp_path / "a")
