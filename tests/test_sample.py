import json

import numpy as np
import pytest
from PIL import Image

from stargan_tf import sample
from stargan_tf.data.images import decode_image, fit_image, to_array
from stargan_tf.translation import Translator


def test_every_source_is_translated_into_every_domain(trained_run, images_path, tmp_path, capsys):
    output = tmp_path / "output"
    source, reference = images_path / "val" / "circle", images_path / "val"
    arguments = ["--run", trained_run, "--source", source, "--reference", reference, "--output", output]
    assert sample.main([*map(str, arguments), "--styles", "2", "--references", "3"]) == 0
    assert "translated 3 images" in capsys.readouterr().out

    for guide, count in (("latent", 2), ("reference", 3)):
        assert {path.name for path in (output / guide).iterdir()} == {"circle", "square", "triangle"}
        for domain in ("circle", "square", "triangle"):
            names = {path.name for path in (output / guide / domain).iterdir()}
            assert names == {f"{image:05d}_png_{style}.png" for image in range(3) for style in range(count)}
        with Image.open(output / f"{guide}_guided.png") as picture:
            assert picture.width > 3 * 64

    # The single images are what the translator gives.
    translator = Translator.from_run(trained_run)
    image = to_array(fit_image(decode_image((source / "00001.png").read_bytes()), (16, 16)))
    styles = translator.styles_from_latents(translator.draw_latents(2, seed=0), "square")
    expected = translator.translate(image[None], styles[1:])[0]
    with Image.open(output / "latent" / "square" / "00001_png_1.png") as picture:
        np.testing.assert_allclose(to_array(picture), expected, atol=1 / 127)


def test_unreadable_and_odd_images(trained_run, tmp_path, capsys):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    Image.effect_noise((90, 40), 60).save(source / "deep" / "er" / "grey.JPG")
    Image.new("RGBA", (7, 5), (255, 0, 0, 128)).save(source / "small.png")
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (source / "notes.txt").write_text("not an image")
    output = tmp_path / "output"
    arguments = ["--run", str(trained_run), "--source", str(source), "--output", str(output), "--styles", "1"]
    assert sample.main(arguments) == 0
    assert "translated 2 images" in (out := capsys.readouterr().out)
    assert "1 images could not be read" in out
    rejected = [json.loads(line) for line in (output / "rejected.jsonl").read_text().splitlines()]
    assert [entry["path"] for entry in rejected] == [str(source / "broken.png")]
    written = {path.name for path in (output / "latent" / "circle").iterdir()}
    assert written == {"deep__er__grey_jpg_0.png", "small_png_0.png"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--run": "nowhere"}, "'nowhere' is not a run directory"),
        ({"--source": "nowhere"}, "there is no folder 'nowhere' (--source)"),
        ({"--source": "empty"}, "there is no image in 'empty' (--source)"),
        ({"--reference": "empty"}, "there is no folder 'empty/circle' (--reference)"),
        ({"--output": "full"}, "'full' exists and is not empty"),
        ({"--psi": "2"}, "--psi is 2.0; it must be between 0 and 1"),
        ({"--styles": "0"}, "--styles is 0; it must be at least 1"),
    ],
)
def test_a_mistake_gets_one_sentence(changes, sentence, trained_run, images_path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    arguments = {"--run": str(trained_run), "--source": str(images_path / "val"), "--output": "new", **changes}
    assert sample.main([word for pair in arguments.items() for word in pair]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert not (tmp_path / "new").exists()


def test_no_readable_source_is_an_error(trained_run, tmp_path, capsys):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.png").touch()
    arguments = ["--run", str(trained_run), "--source", str(tmp_path / "source"), "--output", str(tmp_path / "output")]
    assert sample.main(arguments) == 2
    assert "none of the 1 sources can be read" in capsys.readouterr().err
