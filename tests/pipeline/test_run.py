"""The pipeline through LocalDagRunner: all stages, nothing twice, nothing bad goes out."""

import html
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("tfx", reason="TFX is not installed; make .venv/tfx does that")

from pipeline import compile, configuration, lineage, run
from pipeline.configuration import STAGES
from pipeline.orchestration.metadata_store import connection_config, open_history
from pipeline.orchestration.summary import Summary, summarize
from stargan_tf.base.file_lock import locked
from tests.pipeline import tiny_pipeline

ALL_RAN = dict.fromkeys(STAGES, "ran")
ALL_SKIPPED = dict.fromkeys(STAGES, "skipped")


class Tiny:
    """The small pipeline in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = tiny_pipeline.write(folder)
        self.serving = folder / "serving" / "tiny"

    def run(self, *flags: str) -> tuple[int, dict[str, str]]:
        """Runs it; gives the exit code, and what each stage did."""
        code = run.main([f"--config={self.file}", *flags])
        return code, self.summary().states()

    def summary(self) -> Summary:
        settings = configuration.load(self.file)
        return summarize(open_history(connection_config(settings.metadata, Path(settings.root)), settings.name))

    def versions(self) -> list[str]:
        return sorted(child.name for child in self.serving.iterdir() if child.name.isdigit())

    def report(self) -> str:
        """The page of the newest run."""
        return max((self.folder / "root" / "reports").glob("*.html")).read_text()


@pytest.fixture(scope="module")
def first_run(tmp_path_factory) -> tuple[Tiny, Path]:
    """The pipeline after its first run, which pushed version 1, and a copy of its folder."""
    pipeline = Tiny(tmp_path_factory.mktemp("tiny"))
    assert pipeline.run() == (0, ALL_RAN)
    copy = tmp_path_factory.mktemp("copy") / "folder"
    shutil.copytree(pipeline.folder, copy, symlinks=True)
    return pipeline, copy


@pytest.fixture
def tiny(first_run) -> Tiny:
    """The pipeline as it was after its first run, in the same place, since its records name paths."""
    pipeline, copy = first_run
    shutil.rmtree(pipeline.folder)
    shutil.copytree(copy, pipeline.folder, symlinks=True)
    return pipeline


def test_the_first_run_goes_through_all_stages_to_a_served_version(tiny):
    assert tiny.versions() == ["1"]
    assert (tiny.serving / "1" / "saved_model.pb").is_file()
    assert tiny.summary().pushed["version"] == 1
    assert "Pusher" in tiny.report()
    assert not (tiny.folder / "root" / "work").exists()  # Nothing is unfinished.


def test_the_version_is_traced_back_to_its_images(tiny, capsys):
    assert lineage.main(["1", f"--config={tiny.file}"]) == 0
    told = capsys.readouterr().out
    for words in ("version 1:", str(tiny.folder / "images"), "train_circle 10", "trained for     2 steps"):
        assert words in told
    traced = lineage.trace(configuration.load(tiny.file), 1)
    assert list(traced["stages"]) == list(STAGES)
    trainer = traced["stages"]["Trainer"]
    assert trainer["parameters"]["settings"]["training"]["steps"] == 2
    assert trainer["inputs"]["examples"] == traced["stages"]["ExampleGen"]["outputs"]["examples"]
    card = json.loads((tiny.serving / "1" / "model_card.json").read_text())
    assert card["data"][0]["fingerprint"] == traced["training"]["data"][0]["fingerprint"]
    assert lineage.main(["7", f"--config={tiny.file}"]) == 2
    assert "it pushed 1" in capsys.readouterr().err


def test_with_nothing_changed_everything_is_skipped(tiny):
    assert tiny.run() == (0, ALL_SKIPPED)
    # Nor when a file is only touched: its content counts.
    (tiny.folder / "images" / "train" / "circle" / "00000.png").touch()
    assert tiny.run() == (0, ALL_SKIPPED)
    assert tiny.versions() == ["1"]


def test_what_depends_on_a_changed_setting_runs_and_nothing_else(tiny):
    assert tiny.run("--pusher.keep=4") == (0, ALL_SKIPPED | {"Pusher": "ran"})
    assert tiny.versions() == ["1"]  # The model is the one that is served.


def test_two_runs_at_once_are_refused(tiny, capsys):
    with locked(tiny.folder / "root" / "lock", ""):
        assert run.main([f"--config={tiny.file}"]) == 2
    assert "works on" in capsys.readouterr().err


def test_a_model_that_cannot_be_served_is_not_pushed(tiny):
    model = Path(tiny.summary().executions["Trainer"].outputs["model"].uri)
    labels = model / "Format-Serving" / "assets" / "labels.txt"
    whole = labels.read_bytes()
    labels.unlink()  # Not written over: run and model may share files.
    try:
        code, states = tiny.run("--infra_validator.time_limit=2999", "--evaluator.measurement.grid_sources=3")
    finally:
        labels.write_bytes(whole)
    assert (code, states["InfraValidator"], states["Pusher"]) == (3, "ran", "ran")
    assert tiny.versions() == ["1"]
    assert "labels.txt" in tiny.report()


def test_of_changed_images_everything_is_made_anew_and_a_worse_model_is_not_pushed(tiny):
    tiny_pipeline.redraw(tiny.folder / "images" / "train" / "circle" / "00000.png", seed=5)
    before = {path: path.read_bytes() for path in tiny.serving.rglob("*") if path.is_file()}
    # Steps this large leave noise of the weights.
    noise = ["--trainer.optimizers.learning_rate=0.5", "--trainer.optimizers.ema_decay=0"]
    assert tiny.run(*noise) == (3, ALL_RAN)
    assert {path: path.read_bytes() for path in tiny.serving.rglob("*") if path.is_file()} == before
    assert any("fid" in reason for reason in tiny.summary().refusals)
    assert "fid" in tiny.report()


def test_without_a_domain_nothing_is_trained(tiny):
    away = tiny.folder / "away"
    for subset in ("train", "val"):
        (away / subset).mkdir(parents=True)
        shutil.move(tiny.folder / "images" / subset / "square", away / subset)
    try:
        code, states = tiny.run()
    finally:
        for subset in ("train", "val"):
            shutil.move(away / subset / "square", tiny.folder / "images" / subset)
    assert (code, states["ExampleValidator"], states["Trainer"]) == (3, "ran", "failed")
    assert states["Evaluator"] == states["Pusher"] == "not reached"
    assert "domain 'square' is missing" in html.unescape(tiny.report())
    assert tiny.versions() == ["1"]


def test_the_compiled_pipeline_is_loaded_by_kfp(tiny):
    from google.protobuf import json_format
    from kfp import components
    from kfp.pipeline_spec import pipeline_spec_pb2

    flags = [f"--config={tiny.file}", "--kubeflow.image=image:1", "--kubeflow.root=gs://bucket/root"]
    for name in ("job.json", "pipeline.yaml"):
        assert compile.main([*flags, f"--output={tiny.folder / name}"]) == 0
    loaded = components.load_component_from_file(str(tiny.folder / "pipeline.yaml"))
    assert loaded.name == "tiny"

    job = json.loads((tiny.folder / "job.json").read_text())
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/root"
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    tasks = spec.root.dag.tasks
    assert set(STAGES) <= set(tasks)
    assert set(tasks["Pusher"].dependent_tasks) == {"Trainer", "Evaluator", "InfraValidator"}
    assert tasks["Trainer"].retry_policy.max_retry_count == 3
    assert tasks["Trainer"].caching_options.enable_cache
    assert not tasks["Pusher"].caching_options.enable_cache
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    resources = executors["Trainer_executor"]["container"]["resources"]
    assert resources["accelerator"]["count"] == "1"
    assert "accelerator" not in executors["SchemaGen_executor"]["container"]["resources"]
    assert {executors[f"{stage}_executor"]["container"]["image"] for stage in STAGES} == {"image:1"}
