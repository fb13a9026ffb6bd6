"""What the network sees of a photograph: the same in data directory, sampler, page, clients and served graph."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_prep import images_to_tfrecords
from stargan_tf import evaluate, export, sample
from stargan_tf.base.errors import UserError
from stargan_tf.config import ImageConfig
from stargan_tf.data.images import read_image, to_array
from stargan_tf.data.records import open_data_directory, split_name
from stargan_tf.data.stored_images import StoredImages
from stargan_tf.inference.inputs import ImageReader
from stargan_tf.inference.translator import Translator
from stargan_tf.page.actions import Actions
from stargan_tf.runs import checkpoint_files, run_directory
from stargan_tf.serving.decoding.images import decode_images
from stargan_tf.serving.served_model import LocalModel
from stargan_tf.training.loop import train_and_evaluate
from tests.fixtures import TINY
from tests.icc_profiles import ADOBE_RGB, DISPLAY_P3, gamma, lut_profile, rgb_profile

SIZE = 16
ORIENTATION = 0x0112
BLACK, ORANGE = "black", "#ff8000"
P3, ADOBE, TABLES = rgb_profile(DISPLAY_P3), rgb_profile(ADOBE_RGB, gamma(2.19921875)), lut_profile(0.8, 0.8)


def photograph(height, width, mode="RGB", seed=0):
    """Soft blobs, as photographs have, with edges; an alpha channel has all values."""
    random = np.random.default_rng(seed).integers(0, 256, (6, 6, len(mode)), np.uint8)
    image = Image.fromarray(random.squeeze(-1) if mode == "L" else random, mode)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def oriented(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def write_photographs(folder):
    """Two domains of files that differ in all that is settled when an image becomes the network's input."""
    for domain in ("cat", "dog"):
        (folder / "val" / domain).mkdir(parents=True)
        (folder / "train" / domain).mkdir(parents=True)
        seed = len(list(folder.rglob("*")))
        photograph(20, 20, seed=seed).save(folder / "train" / domain / "a.png")
        photograph(18, 30, seed=seed + 1).save(folder / "train" / domain / "b.png")
        place = folder / "val" / domain
        photograph(40, 25, seed=seed + 2).save(place / "tall.png")
        photograph(25, 41, seed=seed + 3).save(place / "wide.jpg", quality=95)
        photograph(9, 7, seed=seed + 4).save(place / "small.png")
        photograph(31, 22, "RGBA", seed=seed + 5).save(place / "transparent.png")
        photograph(30, 31, "LA", seed=seed + 6).save(place / "transparent_grey.png")
        photograph(30, 3000, seed=seed + 7).save(place / "very_wide.png")
        photograph(3000, 20, seed=seed + 8).save(place / "very_tall.png")
        photograph(28, 23, seed=seed + 9).save(place / "display_p3.jpg", quality=95, icc_profile=P3)
        photograph(23, 28, "RGBA", seed=seed + 20).save(place / "adobe_rgb_transparent.png", icc_profile=ADOBE)
        photograph(26, 26, seed=seed + 21).save(place / "tables.png", icc_profile=TABLES)
        grey = np.asarray(photograph(27, 21, "L", seed=seed + 22), np.uint16) * 257
        Image.fromarray(grey).save(place / "grey_of_16_bits.png")
        for orientation in range(2, 9):
            image = photograph(33, 21, seed=seed + 10 + orientation)
            image.save(place / f"turned_{orientation}.jpg", quality=95, exif=oriented(orientation))
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("photographs") / "images")


def prepare(images, path, fit, background):
    job = images_to_tfrecords.Arguments(
        input=str(images), output=str(path), image_size=SIZE, encoding="png", fit=fit, background=background
    )
    images_to_tfrecords.run(job)
    return open_data_directory(path)


def stored(data, domain):
    """The stored validation images of a domain, by the name of the file."""
    images = StoredImages(data, split_name("val", domain))
    decoded = [images.decode(number) for number in range(len(images))]
    features = [tf.train.Example.FromString(bytes(record)).features.feature for _, record in decoded]
    names = [feature["key"].bytes_list.value[0].decode().rpartition("/")[2] for feature in features]
    return dict(zip(names, (image for image, _ in decoded), strict=True))


@pytest.fixture(scope="module", params=[("crop", "white"), ("crop", BLACK), ("pad", ORANGE), ("stretch", BLACK)])
def prepared(request, photographs, tmp_path_factory):
    return prepare(photographs, tmp_path_factory.mktemp("data") / "data", *request.param)


def files(photographs):
    return sorted((photographs / "val" / "dog").iterdir())


def test_the_sampler_sees_what_was_stored(prepared, photographs, tmp_path):
    reader = ImageReader((SIZE, SIZE), prepared.image_config, tmp_path / "rejected.jsonl")
    expected = stored(prepared, "dog")
    seen = {path.name: image for path, image in reader.read(files(photographs))}
    assert seen.keys() == expected.keys() and len(seen) == 18
    for name, image in seen.items():
        np.testing.assert_array_equal(image, expected[name], err_msg=name)


def test_the_graph_sees_what_was_stored(prepared, photographs):
    expected = stored(prepared, "dog")
    contents = tf.constant([path.read_bytes() for path in files(photographs)])
    images, errors = tf.function(
        lambda: decode_images(contents, (SIZE, SIZE), 10**6, "image_bytes", prepared.image_config)
    )()
    steps = {
        path.name: np.abs(image - expected[path.name]).max() * 127.5
        for path, image, error in zip(files(photographs), images.numpy(), errors.numpy(), strict=True)
        if not error
    }
    # The client converts this one before it is sent, so that nobody gets other colours without a word.
    assert expected.keys() - steps.keys() == {"tables.png"}
    for name, largest in steps.items():
        assert largest < (2.01 if name in ("display_p3.jpg", "adobe_rgb_transparent.png") else 1.01), name


# ---------------------------------------------------------------------- a run, its export, and those who use them


@pytest.fixture(scope="module")
def padded(photographs, tmp_path_factory):
    """Data that are padded with black, and a run on them."""
    path = tmp_path_factory.mktemp("padded")
    data = prepare(photographs, path / "data", "pad", BLACK)
    config = replace(TINY, training=replace(TINY.training, steps=1))
    assert train_and_evaluate(config, data, path / "run") == 0
    return data, path / "run"


@pytest.fixture(scope="module")
def padded_model(padded, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "padded"
    export.run(export.Arguments(run=str(padded[1]), output=str(path), batch_sizes=[1, 2], max_rows=8))
    return LocalModel(path)


@pytest.mark.slow
def test_how_images_were_prepared_travels_with_the_run_its_checkpoint_and_its_export(padded, padded_model):
    data, run = padded
    wanted = ImageConfig("pad", (0, 0, 0), "full")
    assert data.image_config == run_directory.load_config(run).images == wanted
    assert Translator.from_run(run).image_config == wanted
    assert padded_model.image_config == wanted
    assert padded_model.card["images"] == {"fit": "pad", "background": [0, 0, 0], "value_range": "full"}
    assert (
        "padded with the background; transparent pixels on #000000" in (padded_model.version / "README.md").read_text()
    )
    record = tf.train.load_checkpoint(str(checkpoint_files.path_of(run, 1)))
    saved = json.loads(record.get_tensor("record/.ATTRIBUTES/py_state"))
    assert (saved["images.fit"], saved["images.background"]) == ("pad", [0, 0, 0])


@pytest.mark.slow
def test_the_served_graph_takes_the_style_that_the_stored_image_has(padded, padded_model, photographs):
    data, run = padded
    translator = Translator.from_run(run)
    expected = stored(data, "dog")
    cropped = LocalModel(padded_model.version)
    cropped.__dict__["image_config"] = ImageConfig()  # what a client of an earlier version would do
    for path in files(photographs):
        (style,) = padded_model.encode_styles([path.read_bytes()], "dog")
        (wanted,) = translator.styles_from_references(expected[path.name][None], "dog")
        np.testing.assert_allclose(style, wanted, atol=2e-3, err_msg=path.name)
    # A format that the client converts: transparent pixels are on the background of the data before they are sent.
    webp = photographs.parent / "transparent.webp"
    Image.open(photographs / "val" / "dog" / "transparent.png").save(webp, lossless=True, exact=True)
    (style,) = padded_model.encode_styles([webp.read_bytes()], "dog")
    (wanted,) = translator.styles_from_references(expected["transparent.png"][None], "dog")
    np.testing.assert_allclose(style, wanted, atol=2e-3)
    (other,) = cropped.encode_styles([webp.read_bytes()], "dog")
    assert np.abs(other - wanted).max() > 5e-3


@pytest.mark.slow
def test_the_page_shows_what_was_stored(padded, padded_model, photographs, tmp_path):
    expected = stored(padded[0], "dog")
    actions = Actions(padded_model)
    for path in files(photographs):
        source = actions.choose_source(actions.start({"domain": "dog"}), str(path)).source
        np.testing.assert_array_equal(
            to_array(read_image(source.preview, (SIZE, SIZE), ImageConfig())), expected[path.name], err_msg=path.name
        )


@pytest.mark.slow
def test_the_sampler_translates_what_was_stored(padded, photographs, tmp_path):
    data, run = padded
    source = photographs / "val" / "dog" / "wide.jpg"
    command = ["--run", str(run), "--source", str(source), "--domain", "cat", "--styles", "1", "--seed", "5"]
    assert sample.main([*command, "--output", str(tmp_path / "out")]) == 0
    (written,) = (path for path in (tmp_path / "out").rglob("*.png") if "guided" not in path.name)
    translator = Translator.from_run(run)
    style = translator.styles_from_latents(translator.draw_latents(1, seed=5), "cat")
    expected = translator.translate(stored(data, "dog")["wide.jpg"][None], style)[0]
    assert np.abs(to_array(Image.open(written)) - np.clip(expected, -1, 1)).max() * 127.5 < 1


def test_data_that_were_prepared_otherwise_are_refused(padded, photographs, tmp_path, capsys):
    prepare(photographs, tmp_path / "cropped", "crop", "white")
    with pytest.raises(UserError, match=r"the run's fit is pad but the data were prepared with crop"):
        evaluate.run(evaluate.Arguments(run=str(padded[1]), data=str(tmp_path / "cropped")))
    with pytest.raises(UserError, match=r"images\.fit is pad there and crop now"):
        train_and_evaluate(TINY, open_data_directory(tmp_path / "cropped"), padded[1])
