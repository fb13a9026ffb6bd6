import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from stargan_tf.base.errors import UserError
from stargan_tf.data.images import decode_image, fit_image, to_array
from stargan_tf.inference.modes.translate import Arguments, open_inputs, translate

pytestmark = pytest.mark.slow  # for the trained run

DOMAINS = {"circle", "square", "triangle"}


@pytest.fixture
def go(translator, config, trained_run, images_path, tmp_path):
    """Translates with networks that are loaded; returns the output directory."""

    def go(output="output", source=images_path / "val" / "circle", **options):
        arguments = Arguments(str(trained_run), str(source), str(tmp_path / output), **options)
        translate(translator, open_inputs(arguments, replace(config, domains=translator.domains)), arguments)
        return tmp_path / output

    return go


def names(folder):
    return {path.name for path in folder.iterdir()}


def recording(function, sizes):
    """Does what a function does, and notes how many images or styles it is given."""

    def recorded(first, *others):
        sizes.append(len(first))
        return function(first, *others)

    return recorded


def read(path):
    with Image.open(path) as picture:
        return to_array(picture)


def test_every_source_is_translated_into_every_domain(go, translator, images_path, capsys):
    output = go(styles=2, reference=str(images_path / "val"), references=3)
    assert "translated 3 images" in capsys.readouterr().out
    for guide, count in (("latent", 2), ("reference", 3)):
        assert names(output / guide) == DOMAINS
        for domain in DOMAINS:
            expected = {f"{image:05d}_{style}.png" for image in range(3) for style in range(count)}
            assert names(output / guide / domain) == expected
        with Image.open(output / f"{guide}_guided.png") as picture:
            assert picture.width > 3 * 64

    # The single images are what the translator gives.
    image = to_array(fit_image(decode_image((images_path / "val/circle/00001.png").read_bytes()), (16, 16)))
    styles = translator.styles_from_latents(translator.draw_latents(2, seed=0), "square")
    expected = translator.translate(image[None], styles[1:])[0]
    np.testing.assert_allclose(read(output / "latent/square/00001_1.png"), expected, atol=1 / 127)


def test_rows_of_grids_say_their_seed_or_style(go, drawn_texts):
    first = go("first", seed=7, styles=2, psi=[1.0, 0.5], domain=["square"])
    assert [text for text in drawn_texts if text.startswith("seed")] == [
        "seed 7",
        "seed 8",
        "seed 7, psi 0.5",
        "seed 8, psi 0.5",
    ]
    go("again", style=[str(first / "styles/latent_psi_1/square_1.json")])
    assert drawn_texts[-2:] == ["sources", "square_1"]


def test_pictures_have_the_size_of_their_source_if_asked(go, tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # to the right
    Image.effect_noise((40, 71), 60).save(tmp_path / "tall.png")
    Image.effect_noise((48, 24), 60).save(tmp_path / "turned.jpg", exif=turned)

    def translated(name, **options):
        output = go(f"{name}{options}", source=tmp_path / name, styles=1, domain=["square"], **options)
        (path,) = (output / "latent/square").iterdir()
        return Image.open(path)

    for name, side in (("tall.png", 40), ("turned.jpg", 24)):  # of the centre that the networks see
        picture, small = translated(name, resize_to_source=True), translated(name)
        assert picture.size == (side, side) and small.size == (16, 16)
        assert np.array_equal(picture, small.resize((side, side), Image.Resampling.LANCZOS))


def test_one_image_in_one_domain_with_several_psi(go, translator, images_path):
    source = images_path / "val" / "circle" / "00002.png"
    output = go(source=source, domain=["square"], styles=2, seed=7, psi=[0.5, 1.0])
    for guide in ("latent_psi_0.5", "latent_psi_1"):
        assert names(output / guide) == {"square"}
        assert names(output / guide / "square") == {"00002_0.png", "00002_1.png"}
    assert (output / "latent_guided_psi_0.5.png").is_file() and (output / "latent_guided_psi_1.png").is_file()
    # The same latent codes, nearer to the mean style.
    half, whole = (json.loads((output / f"styles/latent_psi_{psi}/square_1.json").read_text()) for psi in ("0.5", "1"))
    assert half["seed"] == whole["seed"] == 8 and half["latent"] == whole["latent"]
    mean = translator.mean_styles[1]
    np.testing.assert_allclose(np.array(half["style"]) - mean, (np.array(whole["style"]) - mean) / 2, atol=1e-6)


def test_a_liked_style_is_used_again(go, images_path):
    first = go("first", styles=2, reference=str(images_path / "val"), references=2)
    liked = [first / "styles/latent/square_1.json", first / "styles/reference/triangle_0.json"]
    again = go("again", source=images_path / "val" / "square", style=list(map(str, liked)))
    # In another image: only the liked styles, each in its domain.
    assert names(again) == {"saved", "saved_styles.png", "styles"} and names(again / "saved") == {"square", "triangle"}
    assert names(again / "saved/square") == {f"{image:05d}_0.png" for image in range(3)}
    # In the same images: the same pictures.
    same = go("same", style=list(map(str, liked)))
    for image in range(3):
        for liked_picture, picture in (
            (f"latent/square/{image:05d}_1.png", f"saved/square/{image:05d}_0.png"),
            (f"reference/triangle/{image:05d}_0.png", f"saved/triangle/{image:05d}_0.png"),
        ):
            np.testing.assert_array_equal(read(first / liked_picture), read(same / picture))
    kept = json.loads((same / "styles/saved/square_0.json").read_text())
    assert kept == json.loads(liked[0].read_text())


def test_no_more_images_than_a_batch_are_worked_on_at_once(go, translator, images_path, monkeypatch):
    sizes = {"encode": [], "decode": [], "encode_style": []}
    for name, seen in sizes.items():
        monkeypatch.setattr(translator, name, recording(getattr(translator, name), seen))
    go(source=images_path / "val", styles=3, reference=str(images_path / "train"), references=6)
    # 9 sources in 3 domains in 3 drawn styles and those of 6 references; each source is encoded once.
    assert sum(sizes["encode"]) == 9 and sum(sizes["decode"]) == 9 * 3 * 9 and sum(sizes["encode_style"]) == 18
    assert {max(seen) for seen in sizes.values()} == {4}


def test_unreadable_and_odd_images(go, tmp_path, capsys):
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    Image.effect_noise((90, 40), 60).save(source / "deep" / "er" / "grey.JPG")
    Image.new("RGBA", (7, 5), (255, 0, 0, 128)).save(source / "small.png")
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    (source / "notes.txt").write_text("not an image")
    output = go(source=source, styles=1)
    assert "translated 2 images" in (out := capsys.readouterr().out)
    assert "1 images could not be read" in out
    rejected = [json.loads(line) for line in (output / "rejected.jsonl").read_text().splitlines()]
    assert [entry["path"] for entry in rejected] == [str(source / "broken.png")]
    written = {str(path.relative_to(output / "latent/circle")) for path in (output / "latent/circle").rglob("*.png")}
    assert written == {"deep/er/grey_0.png", "small_0.png"}


def test_no_name_of_a_source_is_too_much(go, tmp_path):
    """What is in folders stays apart, nothing is written over, and no name is too long, however deep or long it was."""
    deep = "/".join(["a folder with a long name"] * 20)
    sources = [f"{'n' * 246}.png", f"{deep}/cat.png", "a/b.png", "a__b.png", "x.png", "x.PNG", "x.bmp", "x_0.png/y.png"]
    for shade, name in enumerate(sources):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (30 * shade, 0, 0)).save(tmp_path / "source" / name)
    output = go(source=tmp_path / "source", styles=1, domain=["circle"])
    written = [str(path.relative_to(output / "latent/circle")) for path in (output / "latent/circle").rglob("*.png")]
    files = {path for path in written if (output / "latent/circle" / path).is_file()}
    expected = {f"{deep}/cat_0.png", "a/b_0.png", "a__b_0.png", "x.PNG_0.png", "x.png-2_0.png", "x.bmp_0.png"}
    assert files > expected | {"x_0.png_/y_0.png"} and len(files) == len(sources)
    (cut,) = files - expected - {"x_0.png_/y_0.png"}
    assert cut.startswith("n" * 180)


def test_domains_of_any_name_have_folders_and_titles(go, translator, no_fonts, monkeypatch, capsys):
    monkeypatch.setattr(translator, "domains", ("..", "a/b", "猫" * 150))
    output = go(styles=1)
    folders = names(output / "latent")
    assert {"_..", "a_b"} < folders and len(folders) == 3
    assert all((output / "latent" / folder / "00000_0.png").is_file() for folder in folders)
    assert {path.name.rpartition("_")[0] for path in (output / "styles/latent").iterdir()} == folders
    assert (output / "domains.txt").read_text() == f"domain 3: {'猫' * 150}\n"
    assert "`apt-get install fonts-noto-cjk` brings one" in capsys.readouterr().out
    again = go("again", style=[str(output / "styles/latent/_.._0.json"), str(output / "styles/latent/a_b_0.json")])
    assert names(again / "saved") == {"_..", "a_b"}


def test_no_readable_source_is_an_error(go, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a.png").write_text("<html>404</html>")
    with pytest.raises(
        UserError, match=r"none of the 1 sources can be read .*a\.png: not an image but an HTML page.; see"
    ):
        go(source=tmp_path / "source")
