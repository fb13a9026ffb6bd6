import json
import re

import pytest

from pipeline import artifacts
from pipeline.components import example_validator


def test_good_data_passes(statistics_path, schema_path, tmp_path, capsys):
    output = tmp_path / "anomalies"
    arguments = ["--statistics", str(statistics_path), "--schema", str(schema_path), "--output", str(output)]
    flag = "--thresholds.max_near_duplicates"  # as the section was named before
    assert example_validator.main([*arguments, flag, "1"]) == 0
    written = json.loads((output / "anomalies.json").read_text())
    assert written == {"blocking": False, "compared_with_schema": True, "if_intended": None, "anomalies": []}
    assert "none of them blocking" in capsys.readouterr().out


def test_a_blocking_anomaly_fails_the_stage_after_it_is_written(statistics_path, schema_path, tmp_path, capsys):
    statistics = json.loads((statistics_path / "statistics.json").read_text())
    statistics["domains"].remove("circle")
    artifacts.write_json(tmp_path / "statistics.json", statistics)
    output = tmp_path / "anomalies"
    arguments = example_validator.Arguments(str(tmp_path), str(output), str(schema_path))
    with pytest.raises(example_validator.BlockingAnomalies, match="domain 'circle' is missing"):
        example_validator.run(arguments)
    written = json.loads((output / "anomalies.json").read_text())
    assert written["blocking"]
    (missing,) = (anomaly for anomaly in written["anomalies"] if anomaly["kind"] == "missing_domain")
    assert missing["domain"] == "circle" and missing["blocking"]

    flags = ["--statistics", str(tmp_path), "--schema", str(schema_path), "--output", str(tmp_path / "again")]
    assert example_validator.main(flags) == 3
    told = capsys.readouterr().err
    assert "must not be trained on: domain 'circle' is missing" in told
    assert (tmp_path / "again" / "anomalies.json").is_file()
    # What it says is what accepts it.
    accepted = re.search(r"example_validator: {tolerated: (\[.*?\])}", told)[1]
    assert accepted == "[small_sources, missing_domain]"
    flags[-1] = str(tmp_path / "accepted")
    assert example_validator.main([*flags, f"--example_validator.tolerated={accepted}"]) == 0


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--example_validator.max_rejected=1.5", "--example_validator.max_rejected is 1.5; it must be between 0 and 1"),
        (
            "--example_validator.max_count_ratio=0.5",
            "--example_validator.max_count_ratio is 0.5; it must be at least 1",
        ),
        ("--example_validator.min_val_images=0", "--example_validator.min_val_images is 0; it must be at least 1"),
        (
            '--example_validator.tolerated=["drift"]',
            "--example_validator.tolerated has 'drift'; the kinds are missing_domain",
        ),
    ],
)
def test_a_threshold_out_of_range_is_told(flag, sentence, statistics_path, tmp_path, capsys):
    output = tmp_path / "anomalies"
    assert example_validator.main(["--statistics", str(statistics_path), "--output", str(output), flag]) == 2
    assert sentence in capsys.readouterr().err
    assert not output.exists()
