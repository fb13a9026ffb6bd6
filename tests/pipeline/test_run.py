"""The pipeline through LocalDagRunner: all stages, nothing twice, nothing bad goes out."""

import html
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("tfx", reason="TFX is not installed; make .venv/tfx does that")

from pipeline import configuration, lineage, run
from pipeline.components import pusher
from pipeline.configuration import STAGES
from pipeline.orchestration.metadata_store import connection_config, open_history
from pipeline.orchestration.summary import Summary, summarize
from stargan_tf.base.errors import ExitCode
from stargan_tf.base.file_lock import locked
from tests.pipeline import tiny_pipeline

ALL_RAN = dict.fromkeys(STAGES, "ran")
UNCHANGED = dict.fromkeys(STAGES, "skipped") | {"Pusher": "ran"}  # It looks at the serving directory every time.


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
        history = open_history(connection_config(settings.metadata, Path(settings.root)), settings.name)
        return summarize(history, self.serving)

    def versions(self) -> list[str]:
        return sorted(child.name for child in self.serving.iterdir() if child.name.isdigit())

    def report(self) -> str:
        """The page of the newest run."""
        return html.unescape(max((self.folder / "root" / "reports").glob("*.html")).read_text())

    def redraw(self, seed: int) -> None:
        """Changes the data."""
        tiny_pipeline.redraw(self.folder / "images" / "train" / "circle" / "00000.png", seed)


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


def test_the_metadata_are_filled_as_users_of_tfx_expect(tiny):
    executions = tiny.summary().executions
    examples = executions["ExampleGen"].outputs["examples"]
    splits = json.loads(examples.properties["split_names"].string_value)
    assert splits == [f"{subset}_{name}" for subset in ("train", "val") for name in ("circle", "square", "triangle")]
    assert (examples.properties["span"].int_value, examples.properties["version"].int_value) == (0, 1)
    for stage, key in (("StatisticsGen", "statistics"), ("ExampleValidator", "anomalies")):
        properties = executions[stage].outputs[key].properties
        assert json.loads(properties["split_names"].string_value) == splits and "span" in properties
    model = executions["Trainer"].outputs["model"].custom_properties
    assert model["step"].int_value == 2
    assert json.loads(model["domains"].string_value) == ["circle", "square", "triangle"]
    assert model["fingerprint"].string_value == tiny.summary().served.fingerprint


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
    assert lineage.main([f"--config={tiny.file}"]) == 0  # the newest
    assert capsys.readouterr().out == told
    assert lineage.main(["7", f"--config={tiny.file}"]) == 2
    assert "it pushed 1" in capsys.readouterr().err


def test_with_nothing_changed_everything_is_skipped(tiny):
    assert tiny.run() == (0, UNCHANGED)
    # Nor when a file is only touched: its content counts.
    (tiny.folder / "images" / "train" / "circle" / "00000.png").touch()
    assert tiny.run() == (0, UNCHANGED)
    assert tiny.versions() == ["1"]


def test_what_depends_on_a_changed_setting_runs_and_nothing_else(tiny):
    assert tiny.run("--pusher.keep=4") == (0, UNCHANGED)
    assert tiny.versions() == ["1"]  # The model is the one that is served.


def test_what_is_served_is_looked_up_and_what_is_missing_comes_back(tiny, capsys):
    whole = {path.name: path.read_bytes() for path in (tiny.serving / "1").rglob("*") if path.is_file()}
    tiny.serving.rename(tiny.folder / "away")
    assert tiny.run() == (0, UNCHANGED)
    assert {path.name: path.read_bytes() for path in (tiny.serving / "1").rglob("*") if path.is_file()} == whole
    assert (tiny.serving / "serving" / "models.config").is_file()
    assert "served: version 1" in capsys.readouterr().out
    assert "1 is missing; it is put back" in tiny.report() and "Version 1 is served" in tiny.report()

    # What was damaged keeps its number, under which it is known to caches: its content comes under the next one.
    (tiny.serving / "1" / "saved_model.pb").write_bytes(b"")
    assert tiny.run() == (0, UNCHANGED)
    assert tiny.versions() == ["1", "2"]
    assert (tiny.serving / "2" / "saved_model.pb").read_bytes() == whole["saved_model.pb"]
    assert "is not as it was published; it is published again as version 2" in tiny.report()
    assert "served: version 2" in capsys.readouterr().out
    assert lineage.trace(configuration.load(tiny.file), 2)["rollback_of"] == 1


@pytest.mark.long
def test_after_a_roll_back_what_is_served_is_told_and_is_the_baseline(tiny, capsys):
    flags = "--evaluator.limits.margin_overall={}"
    first = tiny.summary().executions["Trainer"].outputs["model"].uri
    tiny.redraw(5)
    assert tiny.run(flags) == (0, ALL_RAN)
    assert pusher.main([f"--serving={tiny.serving}", "--rollback=1"]) == 0
    capsys.readouterr()
    assert tiny.run(flags) == (0, UNCHANGED)
    assert tiny.versions() == ["1", "2", "3"]  # The model that was rolled back from does not return.
    told = capsys.readouterr().out
    assert "served: version 3" in told and "served: version 2" not in told
    assert "Version 3 is served, to which this run was rolled back" in tiny.report()

    # Nor when the directory is lost, and with it the record of the roll-back.
    tiny.serving.rename(tiny.folder / "away")
    assert tiny.run(flags) == (0, UNCHANGED)
    assert tiny.versions() == ["3"] and tiny.summary().served.is_withdrawn

    tiny.redraw(6)
    assert tiny.run(flags) == (0, ALL_RAN)
    compared = tiny.summary().executions
    assert compared["Evaluator"].inputs["blessed_model"].uri == first
    assert compared["ExampleValidator"].inputs["last_good_model"].uri == first
    assert tiny.versions() == ["3", "4"] and tiny.summary().served.is_of_run


@pytest.mark.long
def test_an_earlier_state_of_the_data_brings_its_model_back_under_the_next_number(tiny):
    flags = "--evaluator.limits.margin_overall={}"
    image = tiny.folder / "images" / "train" / "circle" / "00000.png"
    first = image.read_bytes()
    tiny.redraw(5)
    assert tiny.run(flags)[0] == 0
    second = image.read_bytes()
    for version, picture in (("3", first), ("4", second)):  # The second time everything but the push is known.
        image.write_bytes(picture)
        assert tiny.run(flags)[0] == 0
        assert tiny.versions()[-1] == version and tiny.summary().served.is_of_run


def test_neither_time_zone_nor_clock_changes_the_order_of_reports(tiny, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # 14 hours ahead
    time.tzset()
    later = tiny.folder / "root" / "reports" / "run_00007_2199-01-01_00-00-00Z.html"
    later.touch()
    try:
        before = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
        assert tiny.run()[0] == 0
        assert lineage._time(0) == "1970-01-01 00:00:00 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
    newest = max((tiny.folder / "root" / "reports").glob("*.html"))
    assert newest.name.startswith("run_00008_")
    assert (
        before
        <= datetime.strptime(newest.stem.partition("_")[2][6:], "%Y-%m-%d_%H-%M-%SZ")
        <= datetime.now(UTC).replace(tzinfo=None)
    )


def test_two_runs_at_once_are_refused(tiny, capsys):
    with locked(tiny.folder / "root" / "lock", ""):
        assert run.main([f"--config={tiny.file}"]) == ExitCode.TRY_AGAIN
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


@pytest.mark.long  # components/test_evaluator.py has the refusal, and the run below what it leads to
def test_of_changed_images_everything_is_made_anew_and_a_worse_model_is_not_pushed(tiny):
    tiny.redraw(5)
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
    assert "domain 'square' is missing" in tiny.summary().executions["Trainer"].parameters["error"]
    assert "example_validator: {tolerated: [small_sources, missing_domain]}" in tiny.report()
    assert states["Evaluator"] == states["Pusher"] == "not reached"
    assert "domain 'square' is missing" in tiny.report()
    assert "Version 1 is served" in tiny.report()
    assert tiny.versions() == ["1"]
