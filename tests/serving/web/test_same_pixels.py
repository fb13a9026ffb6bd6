"""What the page draws is what `sample` draws: seeds, resizing, and pictures of all kinds."""

import numpy as np
import pytest
from PIL import Image

from stargan_tf import sample
from stargan_tf.data.images import read_image
from stargan_tf.inference.translator import latents_of_seeds
from stargan_tf.runs import run_directory
from tests.serving.web import photographs

pytest.importorskip("selenium", reason="Selenium is not installed; pip install '.[dev]' does that")

from tests.serving.web.static_page import StaticPage, static_server

DOMAIN, SEED = "square", 5
# Levels of 255 between pictures.
LIMITS = {"float32": 2, "float16": 6}

# Whose colours browsers convert or mix, and how far what the model sees may be from what it sees in `sample`: profiles
# of greys, and profiles or WebP with transparent pixels.
LEFT_TO_THE_BROWSER = {
    "grey_gamma.jpg": 1,
    "transparent_p3.png": 1,
    "transparent_adobe.png": 1,
    "lossless.webp": 2,
}


@pytest.mark.slow
def test_seeds_are_those_of_the_sampler(page):
    seeds = [0, 1, 7, 2**31, 2**32 + 5, 2**52 + 12345]
    script = """const { latentOfSeed } = await import("./latents.js");
        return given[0].map((seed) => [...latentOfSeed(seed, 18)]);"""
    np.testing.assert_allclose(page.run(script, seeds), latents_of_seeds(np.array(seeds, np.int64), 18), atol=1e-6)


@pytest.mark.slow
def test_resizing_is_that_of_pillow_to_the_byte(page):
    random = np.random.default_rng(0)
    script = """const { resizeRows, resizeColumns } = await import("./lanczos.js");
        const [pixels, width, [left, top, right, bottom], [wantedWidth, wantedHeight]] = given;
        const narrow = resizeRows(Uint8ClampedArray.from(pixels), width, left, right, wantedWidth);
        return [...resizeColumns(narrow, wantedWidth, top, bottom, wantedHeight)];"""
    for width, height, box, size in (
        (40, 30, (0, 0, 40, 30), (16, 16)),
        (41, 30, (5.5, 0, 35.5, 30), (16, 16)),
        (7, 9, (0, 1, 7, 8), (16, 16)),
        (33, 21, (1 / 3, 0.1, 32.7, 20.9), (17, 5)),
        (16, 90, (0, 0, 16, 90), (16, 11)),
        (500, 3, (0, 0, 500, 3), (4, 3)),
    ):
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        rgba = np.dstack([pixels, np.full((height, width), 255, np.uint8)])
        resized = page.run(script, rgba.ravel().tolist(), width, box, size)
        expected = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, box=box)
        found = np.array(resized).reshape(size[1], size[0], 4)
        np.testing.assert_array_equal(found[..., :3], np.asarray(expected), err_msg=f"{width} x {height}")


def differences(browser, folder, run, paths, tmp_path):
    """By file the largest difference of what the model sees, and of what is drawn, from that of `sample`."""
    config = run_directory.load_config(run)
    command = ["--run", run, "--source", paths[0].parent, "--domain", DOMAIN, "--styles", 1, "--seed", SEED]
    assert sample.main([str(word) for word in [*command, "--output", tmp_path / "sampled"]]) == 0
    drawn = {path.name: path for path in (tmp_path / "sampled" / "latent" / DOMAIN).iterdir()}
    found = {}
    with static_server(folder, tmp_path / "log") as (address, _):
        page = StaticPage(browser, f"{address}#domain={DOMAIN}&seed={SEED}")
        for path in paths:
            page.draw(path)
            assert page.text("#caption") == f"{DOMAIN}, seed {SEED}"
            (name,) = {f"{path.stem}_0.png", f"{path.name}_0.png"} & drawn.keys()
            seen = read_image(path.read_bytes(), config.model.size, config.images)
            pairs = ((page.pixels("#before"), seen), (page.pixels("#after"), Image.open(drawn[name])))
            found[path.name] = [int(np.abs(one.astype(int) - np.asarray(other, int)).max()) for one, other in pairs]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("weights", LIMITS)
def test_pictures_are_those_of_the_sampler(weights, folder, export_page, trained_run, browser, tmp_path):
    if weights == "float32":
        folder = export_page(trained_run, "--weights", "float32")
    paths = photographs.write(tmp_path / "photographs", photographs.FEW)
    found = differences(browser, folder, trained_run, paths, tmp_path)
    assert len(found) == len(photographs.FEW)
    assert max(drawn for _, drawn in found.values()) <= LIMITS[weights], found


@pytest.mark.beyond
def test_pictures_of_every_kind_are_those_of_the_sampler(export_page, trained_run, browser, tmp_path):
    paths = photographs.write(tmp_path / "photographs")
    assert len(paths) >= 60
    folder = export_page(trained_run, "--weights", "float32")
    found = differences(browser, folder, trained_run, paths, tmp_path)
    for name, (seen, drawn) in found.items():
        print(f"{name:24} seen {seen:3} drawn {drawn:3}")
    for name, limit in LEFT_TO_THE_BROWSER.items():
        assert found.pop(name)[0] <= limit, name
    assert max(drawn for _, drawn in found.values()) <= LIMITS["float32"], found
