"""What one image takes while it is prepared: measured in a process of its own, as the docs and `--help` give it."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_prep.images import StorageSettings

SIDE = 2500
MEASURE = """
import sys
from data_prep.images import ImageOptions, prepare_image

def prepare(path):
    with open(path, "rb") as file:
        data = file.read()
    prepare_image(data, ImageOptions(image_size=(64, 64), value_range="file" if "deep" in path else "full"))

def highest():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

prepare(sys.argv[1])
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
before = highest()
prepare(sys.argv[2])
print(highest() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("plain.jpg", 5),
        ("progressive.jpg", 11),
        ("inks.jpg", 10),
        ("see_through.png", 11),
        ("palette.gif", 8),
        ("deep.png", 12),
        ("see_through.webp", 19),
        ("see_through.avif", 17),
    ],
)
def test_bytes_for_each_pixel(name, most, tmp_path):
    grey = Image.linear_gradient("L").resize((SIDE, SIDE))
    image = Image.merge("RGB", [grey, grey.rotate(90), grey.rotate(180)])
    options = {"progressive": True, "subsampling": 0} if "progressive" in name else {}
    if name.startswith("see_through"):
        image.putalpha(grey)
        options = {"speed": 10} if name.endswith("avif") else {"compress_level": 1, "method": 0}
    elif name.startswith("inks"):
        image = image.convert("CMYK")
    elif name.startswith("deep"):
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 16)
    image.save(tmp_path / name, **options)
    image.resize((8, 8)).save(tmp_path / f"small_{name}", **options)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / f"small_{name}"), str(tmp_path / name)]
    taken = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert taken <= 1.01 * most * SIDE**2  # the system counts in pages
    assert most * StorageSettings().max_pixels <= 1.01e9
