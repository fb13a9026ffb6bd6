"""The benchmark of GPUs, on a CPU and with tiny networks."""

import json

import pytest

from benchmarks import gpu


def test_an_unknown_case_is_refused(capsys):
    assert gpu.main(["--tiny", "--only", "base"]) == 2
    assert "--only has base; there is machine; r1, float32;" in capsys.readouterr().err


def test_a_case_that_takes_too_long_is_told_and_what_is_not_started_is_named(tmp_path, capsys):
    flags = ["--tiny", "--limit", "1", "--budget", "1", "--side_by_side", "1", "--output", str(tmp_path / "gpu.json")]
    assert gpu.main(flags) == 1
    printed = capsys.readouterr().out
    assert "failed: took longer than 1 s" in printed
    assert "left out after 1 s (--budget): r1, float32; " in printed
    assert json.loads((tmp_path / "gpu.json").read_text()) == {"machine": {"failed": "took longer than 1 s"}}


@pytest.mark.long
def test_every_case_runs_with_tiny_networks_on_a_cpu(tmp_path, capsys):
    output = tmp_path / "gpu.json"
    flags = ["--tiny", "--budget", "1500", "--limit", "900", "--side_by_side", "2", "--output", str(output)]
    code = gpu.main(flags)
    results = json.loads(output.read_text())
    assert code == 0, results
    assert len(results) == 13
    assert results["machine"]["devices"] == "/device:CPU:0"
    assert results["r1, float64"]["within limits"] == "34 of 34"
    training = [result for name, result in results.items() if "seconds" in result]
    assert len(training) == 9
    for result in training:
        assert result["seconds"] > 0 and result["images_per_second"] > 0 and 0.1 < result["peak_gb"] < 16
    assert 0 <= results["real data"]["waiting"] <= 1
    assert results["batch 32"]["images_per_second"] == pytest.approx(32 / results["batch 32"]["seconds"])
    assert results["translation"]["mixed_bfloat16, 16 images, exported, ms"] > 0
    printed = capsys.readouterr().out
    assert "celeba_hq_256" in printed and "left out" not in printed
