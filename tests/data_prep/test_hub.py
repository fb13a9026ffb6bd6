import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.data_prep.hub_server import serve
from tests.data_prep.hugging_face import write_shard
from tests.data_prep.jobs import noise, read_images
from tests.data_prep.test_webdataset import samples, write_tar

pytest.importorskip("huggingface_hub", reason="huggingface_hub not installed; pip install '.[hub]' does that")
pytestmark = pytest.mark.slow


def encoded(number: int) -> bytes:
    data = io.BytesIO()
    noise(16, 24, number).save(data, "png")
    return data.getvalue()


def run_apart(address, *flags):
    """Runs the job in a process of its own, since the address is read when the Hub's library is imported."""
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-m", "data_prep.images_to_tfrecords", "--image_size", "[16,24]", *map(str, flags)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_data_set_of_parquet(tmp_path):
    images = [encoded(number) for number in range(6)]
    for split, numbers in (("train", range(4)), ("validation", range(4, 6))):
        shard = [{"bytes": images[number], "path": None} for number in numbers]
        write_shard(tmp_path / "hub" / "data" / f"{split}-00000-of-00001.parquet", shard, [0, 1] * (len(shard) // 2))
    (tmp_path / "hub" / "README.md").write_text("# Pets")
    with serve(tmp_path / "hub", "me/pets") as (address, requests):
        done = run_apart(address, "--input", "hf://datasets/me/pets", "--output", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        assert any("/datasets/me/pets/resolve/" in request for request in requests)
        missing = run_apart(address, "--input", "hf://datasets/me/cars", "--output", tmp_path / "cars")
    written = read_images(tmp_path / "out")
    for number, (_, pixels) in enumerate(sorted(written.items())):
        np.testing.assert_array_equal(pixels, Image.open(io.BytesIO(images[number])))
    assert len(written) == 6 and "val is validation" in done.stdout
    assert missing.returncode == 2 and missing.stderr.count("\n") == 1 and "hf://datasets/me/cars" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_folders_and_webdataset(tmp_path):
    for number in range(4):
        file = tmp_path / "hub" / "folders" / ("cat", "dog")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(number))
    for shard in range(2):
        members = samples(2 * shard, ["cat", "dog"])
        images = {name: encoded(int(content)) for name, content in members.items() if name.endswith("jpg")}
        write_tar(tmp_path / "hub" / "shards" / f"{shard}.tar", members | images)
    with serve(tmp_path / "hub", "me/pets") as (address, _):
        for place in ("folders", "shards", "shards/*.tar"):
            output = tmp_path / f"out {place.replace('*', '')}"
            place = f"hf://datasets/me/pets/{place}"
            done = run_apart(address, "--input", place, "--output", output, "--val_fraction", "0")
            assert done.returncode == 0, done.stderr
            for number, (_, pixels) in enumerate(sorted(read_images(output).items(), key=lambda item: item[0][-5])):
                np.testing.assert_array_equal(pixels, Image.open(io.BytesIO(encoded(number))))
