import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import to_array, to_image
from stargan_tf.inference import grids, style_file
from stargan_tf.inference.modes.style_video import Arguments, make_video, open_inputs

pytestmark = pytest.mark.slow  # for the trained run


@pytest.fixture
def go(translator, config, trained_run, images_path, tmp_path):
    """Makes a video of the first circle with networks that are loaded; returns its path."""

    def go(name="video.webp", source=images_path / "val/circle/00000.png", **options):
        arguments = Arguments(str(trained_run), str(source), str(tmp_path / name), **({"frames": 3} | options))
        make_video(translator, open_inputs(arguments, replace(config, domains=translator.domains)), arguments)
        return tmp_path / name

    return go


def frames_of(path):
    with Image.open(path) as picture:
        frames = []
        for index in range(picture.n_frames):
            picture.seek(index)
            frames.append(picture.convert("RGB"))
        return frames


def difference(picture, expected):
    return np.abs(np.asarray(picture, np.float32) - np.asarray(expected, np.float32)).mean()


def test_drawn_styles_are_visited_and_left_again(go, translator, images_path):
    path = go(seeds=[5, 2], domain=["square"])
    frames = frames_of(path)
    assert len(frames) == 6
    image = to_array(Image.open(images_path / "val/circle/00000.png"))
    expected = []
    for index, seed in ((0, 5), (3, 2)):
        style = translator.styles_from_latents(translator.draw_latents(1, seed), "square")
        expected.append(grids.video_frame([to_image(image)], {"to square": translator.translate(image[None], style)}))
        assert difference(frames[index], expected[-1]) < 2  # of 255, for the compression
    assert difference(*expected) > 5
    saved = sorted(file.name for file in path.with_name("video.webp.styles").iterdir())
    assert saved == ["square_0.json", "square_1.json"]
    assert json.loads((path.with_name("video.webp.styles") / "square_1.json").read_text())["seed"] == 2


def test_as_many_frames_are_announced_as_are_stored(go, capsys):
    stored = len(frames_of(go(seeds=[5, 2], frames=60, domain=["square"])))
    assert stored < 120  # near each style, the style changes less than a grey level
    printed = f"{stored} frames (120 were drawn; those like the one before only show it longer), 5.0 s in "
    assert printed in capsys.readouterr().out


def test_the_same_command_gives_the_same_bytes_and_another_way_others(go, images_path):
    options = {"seeds": [0, 1, 2], "source": images_path / "val"}
    arc = go("a.webp", **options).read_bytes()
    assert arc == go("b.webp", **options).read_bytes()
    assert arc != go("c.webp", **options, space="style").read_bytes()


def test_references_slide_by_beside_the_images_in_their_styles(go, translator, images_path):
    references = [images_path / "train/square" / f"{index:05d}.png" for index in (1, 0)]
    frames = frames_of(go(reference=list(map(str, references)), domain=["square"], frames=2, loop=False))
    assert len(frames) == 3
    first, last = (Image.open(path).convert("RGB") for path in references)
    image = to_array(Image.open(images_path / "val/circle/00000.png"))
    styles = translator.styles_from_references(np.stack([to_array(first), to_array(last)]), "square")
    between = Image.new("RGB", (16, 16))  # half of each, the second from below
    between.paste(first, (0, -8))
    between.paste(last, (0, 8))
    moments = [(first, styles[0]), (between, (styles[0] + styles[1]) / 2), (last, styles[1])]
    for frame, (reference, style) in zip(frames, moments, strict=True):
        rows = {"to square": translator.translate(image[None], style[None])}
        expected = grids.video_frame([to_image(image)], rows, {"to square": reference})
        assert difference(frame, expected) < 2


def test_saved_styles_of_two_domains_are_visited(go, translator, images_path, tmp_path):
    image = to_array(Image.open(images_path / "val/circle/00000.png"))
    paths, expected = [], []
    for domain in ("circle", "triangle"):
        (style,) = style_file.drawn_styles(translator, domain, [1], 1.0, translator.draw_latents(1, 1))
        paths.append(tmp_path / f"{domain}.json")
        style_file.write(style, paths[-1], translator, "run")
        rows = {"circle - triangle": translator.translate(image[None], style.code[None])}
        expected.append(grids.video_frame([to_image(image)], rows))
    frames = frames_of(go("saved.gif", style=list(map(str, paths)), frames=2))
    assert len(frames) == 4
    assert difference(frames[0], expected[0]) < 3 and difference(frames[2], expected[1]) < 3  # 256 colours
    assert difference(*expected) > 5
    assert (tmp_path / "saved.gif.styles" / "triangle_1.json").is_file()


def test_too_few_or_uneven_references_are_named(go, images_path, tmp_path):
    with pytest.raises(UserError, match="there is 1 reference of domain 'square'; a video moves between at least 2"):
        go(reference=[str(images_path / "val/circle/00000.png")], domain=["square"])
    for domain, count in (("circle", 2), ("square", 3), ("triangle", 3)):
        (tmp_path / domain).mkdir()
        for index in range(count):
            Image.new("RGB", (16, 16), (index, 0, 0)).save(tmp_path / domain / f"{index}.png")
    with pytest.raises(UserError, match=r"numbers of references \(2 circle, 3 square, 3 triangle\); give the lowest"):
        go(reference=[str(tmp_path)])
    assert not (tmp_path / "video.webp").exists()
