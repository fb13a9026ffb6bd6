import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import to_array
from stargan_tf.inference.modes.cycle import Arguments, open_inputs, there_and_back

pytestmark = pytest.mark.slow  # for the trained run


@pytest.fixture
def go(translator, config, trained_run, tmp_path):
    """Translates there and back with networks that are loaded; returns the output directory and what was measured."""

    def go(source, **options):
        output = tmp_path / "output"
        arguments = Arguments(str(trained_run), str(source), str(output), **options)
        there_and_back(translator, open_inputs(arguments, replace(config, domains=translator.domains)), arguments)
        return output, json.loads((output / "cycle.json").read_text())

    return go


def read(path):
    with Image.open(path) as picture:
        return to_array(picture)


def test_the_way_back_is_in_the_style_of_the_source(go, translator, images_path, capsys):
    output, result = go(images_path / "val", reference=str(images_path / "train"), references=2, domain=["square"])
    assert result["step"] == 2 and result["networks"] == translator.fingerprint
    pairs = [f"{domain} to square and back" for domain in ("circle", "square", "triangle")]
    assert list(result["errors"]) == [*pairs, "all"] and len(result["images"]) == 9
    assert pairs[0] in capsys.readouterr().out

    entry = result["images"][7]  # in the second batch of 4
    image, reference = read(entry["source"])[None], read(entry["reference"])[None]
    assert entry["source"].endswith("triangle/00001.png") and "train/square" in entry["reference"]
    output_image = translator.translate(image, translator.styles_from_references(reference, "square"))
    reconstruction = translator.translate(output_image, translator.styles_from_references(image, "triangle"))
    assert entry["error"] == pytest.approx(np.abs(reconstruction - image).mean(), abs=1e-5)
    of_pair = [other["error"] for other in result["images"] if other["source_domain"] == "triangle"]
    assert result["errors"][pairs[2]] == pytest.approx(np.mean(of_pair), abs=1e-5)
    for kind, expected in (("output", output_image), ("reconstruction", reconstruction)):
        written = read(output / kind / "square" / "triangle/00001.png")
        np.testing.assert_allclose(written, expected[0], atol=1 / 127)
    with Image.open(output / "cycle.png") as picture:
        assert picture.height > 8 * 68 and picture.width >= 4 * 68


def test_without_references_each_source_has_a_seed(go, translator, images_path):
    source = images_path / "val" / "circle"
    output, result = go(source, seed=5, psi=0.5)
    assert [entry["seed"] for entry in result["images"] if entry["domain"] == "triangle"] == [5, 6, 7]
    style = translator.styles_from_latents(translator.draw_latents(1, 6), "triangle", 0.5)
    expected = translator.translate(read(source / "00001.png")[None], style)[0]
    np.testing.assert_allclose(read(output / "output/triangle/00001.png"), expected, atol=1 / 127)


def test_the_domain_of_a_source_must_be_known(go, images_path, tmp_path):
    Image.open(images_path / "val/circle/00000.png").save(tmp_path / "alone.png")
    with pytest.raises(UserError, match=r"alone\.png' do not tell its domain; name it with --source_domain, one of c"):
        go(tmp_path / "alone.png")
    assert not (tmp_path / "output").exists()
    _, result = go(tmp_path / "alone.png", source_domain="circle", domain=["square"])
    assert list(result["errors"]) == ["circle to square and back", "all"]
