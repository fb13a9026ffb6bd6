import json
import re

import pytest
from PIL import Image

from pipeline import artifacts, report
from pipeline.report.run_results import Stage, verdict
from tests.data_prep.test_report import Page
from tests.pipeline.test_decision import evaluation


@pytest.fixture
def finished(statistics_path, trained_run, tmp_path):
    """Directories of a run that came to its end, as arguments of the report."""
    directories = {
        name: tmp_path / name for name in ("anomalies", "evaluation", "blessing", "infra_blessing", "pushed")
    }
    for name in ("anomalies", "evaluation", "pushed"):
        directories[name].mkdir()
    artifacts.write_json(
        directories["anomalies"] / "anomalies.json", {"blocking": False, "compared_with_schema": True, "anomalies": []}
    )
    measured = {
        "step": 2,
        "extractor": {"name": "classifier", "hash": "0123456789ab"},
        "distance": {"name": "classifier", "hash": "ba9876543210"},
    }
    for result in (candidate := evaluation(latent__cat2dog__fid=31.25) | measured, blessed := evaluation() | measured):
        for mode in ("latent", "reference"):
            for name, task in result[mode]["tasks"].items():
                task["source"], task["target"] = name.split("2")
    limits = {"modes": ["latent", "reference"], "overall": {"fid": 60.0}, "margin_overall": {"lpips": 0.1}}
    artifacts.write_json(
        directories["evaluation"] / "evaluation.json",
        {"candidate": candidate, "blessed": blessed, "not_compared": None, "limits": limits, "reasons": []},
    )
    for model in ("candidate", "blessed"):
        Image.new("RGB", (1500, 60)).save(directories["evaluation"] / f"{model}_latent.png")
    artifacts.write_blessing(directories["blessing"], [], {})
    requests = [{"signature": "translate_latent", "rows": 4, "seconds": 0.25}]
    artifacts.write_blessing(directories["infra_blessing"], [], {"load_seconds": 1.5, "requests": requests})
    pushed = {"pushed": True, "version": 7, "path": "/models/stargan/7", "fingerprint": 64 * "f", "reasons": []}
    artifacts.write_json(directories["pushed"] / "pushed.json", pushed)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "run").symlink_to(trained_run)
    return {name: str(path) for name, path in directories.items()} | {
        "statistics": str(statistics_path),
        "model": str(tmp_path / "model"),
    }


def write(tmp_path, **arguments):
    """Writes a report; gives its tags, addresses and text."""
    output = tmp_path / "reports" / "run.html"
    report.run(report.Arguments(str(output), **arguments))
    page = Page(output.read_text())
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    page.text = re.sub(r"\s+", " ", " ".join(page.texts))
    return page


def test_a_finished_run_shows_everything(finished, tmp_path):
    stages = [Stage("ExampleGen", "skipped"), Stage("Trainer", "ran", 61.25), Stage("Evaluator", "ran", 5.0)]
    page = write(tmp_path, name="<b>shapes", stages=stages, **finished)
    assert "b>shapes" not in page.tags and "<b>shapes" in page.text
    for expected in (
        "Version 7 is published",
        "/models/stargan/7",
        "nothing had changed",
        "61.2 s",
        "blessed",
        "None.",
        "translate_latent, 4 rows",
        "circle",
        "2 steps",
        "latent-guided",  # the name of a curve
        "25.62",  # mean FID of the model
        "20.00",  # of the blessed one
        "+28.1%",
        "\u2264 60.00",
    ):
        assert expected in page.text, expected
    assert len(page.addresses) == 2
    of_training = [values for values in page.charts.values() if values.startswith("At the end: latent-guided ")]
    assert len(of_training) == 6 and all("reference-guided" in values for values in of_training)
    assert "training" in page.charts["Width of the sources"]


def test_what_is_served_is_looked_up(finished, tmp_path):
    serving = tmp_path / "models" / "stargan"
    assert "Version 7 was published, and is not served" in (
        text := write(tmp_path, **finished, serving=str(serving)).text
    )
    assert f"Nothing is served : {serving} holds no version" in text
    (serving / "7").mkdir(parents=True)
    page = write(tmp_path, **finished, serving=str(serving), notes=["it is put back"])
    assert "Version 7 is served: the model of this run" in page.text and "it is put back" in page.text
    (serving / "8").mkdir()
    assert (
        "Version 8 is served : it is a model of an earlier run"
        in write(tmp_path, **finished, serving=str(serving)).text
    )


def test_the_page_says_that_there_is_no_floor(finished, tmp_path):
    assert "There is no floor" in write(tmp_path, **finished).text
    path = tmp_path / "evaluation" / "evaluation.json"
    content = json.loads(path.read_text())
    content["limits"]["floor"] = True
    artifacts.write_json(path, content)
    assert "There is no floor" not in write(tmp_path, **finished).text


def test_a_model_that_is_refused_is_told_on_top(finished, tmp_path):
    artifacts.write_json(
        tmp_path / "blessing" / "reasons.json", {"blessed": False, "reasons": ["latent-guided: fid is <90>"]}
    )
    pushed = {"pushed": False, "version": None, "path": None, "reasons": ["the Evaluator did not bless it"]}
    artifacts.write_json(tmp_path / "pushed" / "pushed.json", pushed)
    page = write(tmp_path, **finished)
    assert "Not published: the model was refused, and what was served before still is" in page.text
    assert page.text.index("Evaluator: latent-guided: fid is <90>") < page.text.index("Anomalies of the data")


def test_a_run_that_stopped_early_tells_where_and_why(finished, tmp_path):
    anomaly = {"kind": "missing_domain", "domain": "cat", "split": None, "reason": "domain 'cat' is missing"}
    found = {"blocking": True, "compared_with_schema": True, "anomalies": [anomaly | {"blocking": True}]}
    artifacts.write_json(tmp_path / "anomalies" / "anomalies.json", found)
    page = write(tmp_path, statistics=finished["statistics"], anomalies=finished["anomalies"])
    assert "Stopped before training: the data is not as it should be domain 'cat' is missing" in page.text
    assert "Nothing was trained. The run did not get that far." in page.text


@pytest.mark.parametrize(
    ("stages", "title", "reasons"),
    [
        ([], "Not finished; the last completed stage is none", []),
        (
            [Stage("ExampleGen", "ran"), Stage("Trainer", "not reached")],
            "Not finished; the last completed stage is ExampleGen",
            [],
        ),
        ([Stage("Trainer", "failed", 3.0, "loss is nan")], "Stopped at Trainer", ["loss is nan"]),
    ],
)
def test_a_run_without_artifacts(stages, title, reasons, tmp_path):
    arguments = report.Arguments("unused", stages=stages)
    published, found, why = verdict(report.read(arguments))
    assert not published and found.startswith(title) and why == reasons
    assert title in write(tmp_path, stages=stages).text


def test_stages_come_from_the_command_line_too(tmp_path, capsys):
    stages = [{"name": "Trainer", "state": "failed", "message": "no space left"}]
    assert report.main([f"--output={tmp_path / 'a.html'}", f"--stages={json.dumps(stages)}"]) == 0
    assert "no space left" in (tmp_path / "a.html").read_text()
    assert report.main([f"--output={tmp_path / 'b.html'}", "--evaluation=nowhere"]) == 2
    assert "--evaluation 'nowhere' has no evaluation.json" in capsys.readouterr().err
    assert not (tmp_path / "b.html").exists()
