"""Scans of 12 bits in files of 16 bits through the whole job: warned of, stored in the range asked for, remembered."""

import json

import numpy as np
import pytest
from PIL import Image

from data_prep import report
from stargan_tf.config import ImageConfig
from stargan_tf.data.manifest import prepared_image_config
from tests.data_prep.jobs import noise, read_images, run
from tests.png_files import png


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for domain, most in (("narrow", 4096), ("wide", 65536)):
        (folder / domain).mkdir()
        for index in range(4):
            (folder / domain / f"{index}.png").write_bytes(png(rng.integers(0, most, (16, 24), dtype=np.uint16)))
    (folder / "colours").mkdir()
    for index in range(4):
        noise(16, 24, index).save(folder / "colours" / f"{index}.png")
    return folder


@pytest.mark.slow
def test_a_narrow_domain_is_warned_of(scans, tmp_path, capsys):
    assert run(scans, tmp_path / "data", "--encoding", "png") == 0
    printed = capsys.readouterr().out
    (warning,) = (line for line in printed.splitlines() if line.startswith("warning: ") and "16 bits" in line)
    assert "domain 'narrow' in 4 images of 16 bits" in warning and "less than an eighth" in warning
    assert "--value_range file" in warning
    statistics = json.loads((tmp_path / "data" / "statistics.json").read_text())
    assert statistics["warnings"] == [warning.removeprefix("warning: ")]
    assert sum(split.get("deep_sources", {}).get("count", 0) for split in statistics["splits"].values()) == 8
    assert report.main([str(tmp_path / "data")]) == 0
    assert "less than an eighth" in (tmp_path / "data.report.html").read_text()
    assert prepared_image_config(str(tmp_path / "data")).value_range == "full"


@pytest.mark.parametrize("value_range", ["file", "[0,4095]"])
def test_the_range_is_a_choice_that_travels_with_the_data(scans, tmp_path, capsys, value_range):
    assert run(scans, tmp_path / "data", "--encoding", "png", "--value_range", value_range, "--verify") == 0
    assert "16 bits" not in capsys.readouterr().out
    how = prepared_image_config(str(tmp_path / "data"))
    assert how == ImageConfig("crop", (255, 255, 255), "file" if value_range == "file" else (0, 4095))
    stored = read_images(tmp_path / "data")["narrow/0.png"][..., 0]
    values = np.asarray(Image.open(scans / "narrow" / "0.png")).astype(float)
    black, white = (values.min(), values.max()) if value_range == "file" else (0, 4095)
    assert np.abs(stored - (values - black) / (white - black) * 255).max() <= 0.5 + 1e-6


def test_a_range_is_warned_of_too(scans, tmp_path, capsys):
    assert run(scans, tmp_path / "data", "--value_range", "[60000,65535]") == 0
    assert "domain 'narrow'" in capsys.readouterr().out


@pytest.mark.parametrize("value_range", ["[5,5]", "[9,2]"])
def test_a_range_goes_upwards(scans, tmp_path, capsys, value_range):
    assert run(scans, tmp_path / "data", "--value_range", value_range) == 2
    assert f"--value_range is {value_range}; the first value, of black, must be less" in capsys.readouterr().err


@pytest.mark.parametrize("value_range", ["0,4095", "12bit"])
def test_what_is_no_range_is_told_how_one_is_written(scans, tmp_path, capsys, value_range):
    assert run(scans, tmp_path / "data", "--value_range", value_range) == 2
    assert f"is '{value_range}'; it must be one of full, file, or two values like [0,4095]" in capsys.readouterr().err
