"""What every mode's pictures and videos say of themselves."""

import hashlib
import json
from dataclasses import replace

import pytest

from stargan_tf.inference.modes import cycle, style_video, translate
from tests.metadata import read_metadata

pytestmark = pytest.mark.slow  # for the trained run


@pytest.fixture
def source(images_path):
    return images_path / "val" / "circle" / "00000.png"


@pytest.fixture
def hashes(images_path):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (images_path / "val").rglob("*.png")}


@pytest.fixture
def known(config, translator):
    """The run's configuration."""
    return replace(config, domains=translator.domains)


def told_of(path):
    return read_metadata(path.read_bytes())


def test_translations(translator, known, trained_run, images_path, source, hashes, tmp_path):
    given = {"domain": ["square"], "styles": 2, "seed": 5, "psi": [0.5], "references": 1}
    for name in ("one", "other"):
        arguments = translate.Arguments(
            str(trained_run), str(source), str(tmp_path / name), reference=str(images_path / "val"), **given
        )
        translate.translate(translator, translate.open_inputs(arguments, known), arguments)
    output = tmp_path / "one"
    drawn = told_of(output / "latent/square/00000_1.png")
    assert drawn["source_type"] == "trainedAlgorithmicMedia"
    assert drawn["networks"] == translator.fingerprint
    assert drawn["styles"] == [{"domain": "square", "seed": "6", "psi": "0.5"}]
    reference = hashes[images_path / "val/square/00000.png"]
    referred = told_of(output / "reference/square/00000_0.png")
    assert referred["styles"] == [{"domain": "square", "reference_sha256": reference}]
    grid = told_of(output / "latent_guided.png")
    assert grid["source_type"] == "compositeSynthetic"
    assert [style["seed"] for style in grid["styles"]] == ["5", "6"]
    # No time of day: the same command gives the same bytes.
    for path in output.rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(output)).read_bytes()

    # A saved style still knows the reference that it was taken from.
    saved = json.loads((output / "styles/reference/square_0.json").read_text())
    assert saved["reference_sha256"] == reference
    arguments = translate.Arguments(
        str(trained_run),
        str(source),
        str(tmp_path / "again"),
        style=[str(output / "styles/reference/square_0.json")],
    )
    translate.translate(translator, translate.open_inputs(arguments, known), arguments)
    assert told_of(tmp_path / "again/saved/square/00000_0.png")["styles"] == referred["styles"]


def test_there_and_back(translator, known, trained_run, source, hashes, tmp_path):
    arguments = cycle.Arguments(str(trained_run), str(source), str(tmp_path / "new"), domain=["square"], seed=3)
    cycle.there_and_back(translator, cycle.open_inputs(arguments, known), arguments)
    there, back = (told_of(tmp_path / "new" / kind / "square/00000.png") for kind in ("output", "reconstruction"))
    assert there["styles"] == [{"domain": "square", "seed": "3", "psi": "1.0"}]
    assert back["styles"] == [{"domain": "circle", "reference_sha256": hashes[source]}]
    grid = told_of(tmp_path / "new/cycle.png")
    assert grid["source_type"] == "compositeSynthetic"
    assert grid["styles"] == there["styles"] + back["styles"]


def test_videos(translator, known, trained_run, source, tmp_path):
    output = tmp_path / "new.webp"
    arguments = style_video.Arguments(
        str(trained_run), str(source), str(output), domain=["square"], seeds=[1, 2], frames=2
    )
    style_video.make_video(translator, style_video.open_inputs(arguments, known), arguments)
    told = told_of(output)
    assert told["networks"] == translator.fingerprint
    assert [style["seed"] for style in told["styles"]] == ["1", "2"]


def test_a_flag_turns_it_off(translator, known, trained_run, source, tmp_path):
    shared = {"domain": ["square"], "provenance": False}
    arguments = translate.Arguments(str(trained_run), str(source), str(tmp_path / "new"), styles=1, **shared)
    translate.translate(translator, translate.open_inputs(arguments, known), arguments)
    video = style_video.Arguments(
        str(trained_run), str(source), str(tmp_path / "new.webp"), seeds=[1, 2], frames=2, **shared
    )
    style_video.make_video(translator, style_video.open_inputs(video, known), video)
    pictures = list((tmp_path / "new").rglob("*.png"))
    assert len(pictures) == 2
    assert [told_of(path) for path in (*pictures, tmp_path / "new.webp")] == [None] * 3
