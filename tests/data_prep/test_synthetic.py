import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image

from data_prep import synthetic
from data_prep.synthetic import DOMAINS, OUTLINES, TEXTURES, Arguments, Factors, draw, random_factors, write
from stargan_tf.base.errors import UserError

PLAIN = Factors("circle", 0.3, "plain", "none", 0.5, 0.55, 0.25, 0.5, 0.0, 0.0)


def pixels(image):
    return np.asarray(image, np.float64)


def saturation(image):
    """How far from grey each pixel is; the background is grey exactly."""
    return np.ptp(pixels(image), axis=-1)


@pytest.mark.parametrize("domain", DOMAINS)
def test_shapes_of_equal_radius_have_equal_area_and_their_centroid_at_the_place(domain):
    size = 128
    weight = saturation(draw(dataclasses.replace(PLAIN, domain=domain), size))
    weight /= weight.max()
    assert weight.sum() / size**2 == pytest.approx(math.pi * PLAIN.radius**2, rel=0.03)
    rows, columns = np.mgrid[:size, :size] + 0.5
    assert (columns * weight).sum() / weight.sum() / size == pytest.approx(PLAIN.x, abs=0.01)
    assert (rows * weight).sum() / weight.sum() / size == pytest.approx(PLAIN.y, abs=0.01)


@pytest.mark.parametrize("domain", DOMAINS)
def test_shapes_are_within_the_image(domain):
    rng = np.random.default_rng(0)
    for _ in range(100):
        factors = dataclasses.replace(random_factors(domain, rng), outline="none")
        weight = saturation(draw(factors, 32))
        edge = np.concatenate([weight[0], weight[-1], weight[:, 0], weight[:, -1]])
        assert weight.max() > 100 and edge.max() == 0


def test_content_is_drawn_alike_in_all_domains():
    contents = []
    for domain in DOMAINS:
        factors = random_factors(domain, np.random.default_rng(3))
        contents.append(dataclasses.replace(factors, domain=""))
    assert contents[0] == contents[1] == contents[2]


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(("factor", "values"), [("texture", TEXTURES), ("outline", OUTLINES), ("hue", (0.1, 0.4, 0.7))])
def test_styles_differ_visibly_at_32_pixels(domain, factor, values):
    images = [
        pixels(draw(dataclasses.replace(PLAIN, domain=domain, radius=0.18, **{factor: value}), 32)) for value in values
    ]
    for i, first in enumerate(images):
        for second in images[i + 1 :]:
            changed = np.abs(first - second).max(axis=-1) > 60  # Of 255, in some channel.
            assert changed.sum() > 0.2 * math.pi * (0.18 * 32) ** 2


def test_background_has_the_brightness_and_the_gradient():
    image = pixels(draw(dataclasses.replace(PLAIN, gradient=0.4, gradient_angle=math.pi / 2), 64))
    top, bottom = image[0, 0], image[-1, -1]
    assert np.ptp(top) == np.ptp(bottom) == 0
    assert (bottom[0] - top[0]) / 255 == pytest.approx(0.4, abs=0.02)
    assert (bottom[0] + top[0]) / 2 / 255 == pytest.approx(0.5, abs=0.02)


def test_unknown_domain_and_texture_are_named():
    with pytest.raises(ValueError, match="'star'"):
        draw(dataclasses.replace(PLAIN, domain="star"), 32)
    with pytest.raises(ValueError, match="'fur'"):
        draw(dataclasses.replace(PLAIN, texture="fur"), 32)


def read_all(directory):
    return {file.relative_to(directory).as_posix(): file.read_bytes() for file in directory.rglob("*.png")}


def test_written_images_are_those_of_their_factors_and_stay_when_counts_grow(tmp_path):
    write(Arguments(str(tmp_path / "few"), train_per_domain=2, val_per_domain=1))
    write(Arguments(str(tmp_path / "more"), train_per_domain=3, val_per_domain=2))
    few, more = read_all(tmp_path / "few"), read_all(tmp_path / "more")
    assert len(few) == 3 * (2 + 1) and len(more) == 3 * (3 + 2)
    assert few.items() <= more.items()
    assert len(set(more.values())) == len(more)

    lines = [json.loads(line) for line in (tmp_path / "few" / "attributes.jsonl").read_text().splitlines()]
    assert {line["path"] for line in lines} == few.keys()
    for line in lines:
        assert line["path"].split("/")[1] == line["attributes"]["domain"]
        with Image.open(tmp_path / "few" / line["path"]) as image:
            np.testing.assert_array_equal(pixels(image), pixels(draw(Factors(**line["attributes"]), 32)))


def test_another_seed_gives_other_images(tmp_path):
    for seed in (0, 1):
        write(Arguments(str(tmp_path / str(seed)), train_per_domain=1, val_per_domain=1, seed=seed))
    assert not set(read_all(tmp_path / "0").values()) & set(read_all(tmp_path / "1").values())


@pytest.mark.parametrize(
    ("field", "value"), [("image_size", 8), ("train_per_domain", 0), ("val_per_domain", -1), ("seed", -2)]
)
def test_numbers_out_of_range_are_named(tmp_path, field, value):
    with pytest.raises(UserError, match=f"--{field} is {value}; it must be at least "):
        write(Arguments(str(tmp_path / "out"), **{field: value}))
    assert not any(tmp_path.iterdir())


def test_an_output_with_something_in_it_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=str(tmp_path)):
        write(Arguments(str(tmp_path), train_per_domain=1, val_per_domain=1))
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(Arguments(str(tmp_path / "out"), train_per_domain=1, val_per_domain=1))
    assert not any(tmp_path.iterdir())
