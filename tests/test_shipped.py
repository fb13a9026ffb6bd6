"""The translator that the package brings: what the file is, and what each command makes of its name."""

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from data_prep import images_to_tfrecords
from stargan_tf import demo, sample, train
from stargan_tf.data.images import decode_image, fit_image, to_array
from stargan_tf.inference.translator import Translator
from stargan_tf.runs import named_runs, run_directory
from stargan_tf.serving import shipped_model
from stargan_tf.serving.served_model import LocalModel, newest_version

NAME = "leaves"
PHOTOGRAPHS = Path(__file__).parents[1] / "examples" / "leaves"
SIZE_LIMIT = 12_000_000


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("cache")
        patch.setenv("STARGAN_TF_CACHE", str(path))
        yield path


@pytest.fixture(scope="module")
def run():
    return named_runs.find(NAME)


def read(path) -> np.ndarray:
    return to_array(fit_image(decode_image(path.read_bytes()), (64, 64)))


def test_what_is_in_the_file(run):
    file = resources.files("stargan_tf") / "shipped" / f"{NAME}.npz"
    assert len(file.read_bytes()) <= SIZE_LIMIT
    config = run_directory.load_config(run)
    assert config.domains == ("potato_early_blight", "tomato_healthy", "tomato_yellow_leaf_curl")
    assert config.model.size == (64, 64)
    name, attribution = run_directory.licence(run)
    assert name == "CC BY-SA 3.0" and "Hughes" in attribution
    (data,) = run_directory.recorded_data(run)
    assert data["num_examples"]["train_tomato_healthy"] == 1466
    measured = json.loads((run / run_directory.PHOTOGRAPHS_FILE).read_text())
    assert measured["step"] == Translator.from_run(run).step >= 8000


def test_the_photographs_are_of_its_domains(run):
    photographs = shipped_model.photographs(NAME)
    domains = run_directory.load_config(run).domains
    assert len(photographs) == 9 and {path.stem.rpartition("_")[0] for path in photographs} == set(domains)


def test_a_healthy_leaf_turns_yellow_and_its_ground_does_not(run):
    translator = Translator.from_run(run)
    photographs = {path.stem: read(path) for path in shipped_model.photographs(NAME)}
    source, reference = photographs["tomato_healthy_1"], photographs["tomato_yellow_leaf_curl_1"]
    style = translator.styles_from_references(reference[None], "tomato_yellow_leaf_curl")
    (translated,) = translator.translate(source[None], style)
    middle, corner = (slice(24, 40), slice(24, 40)), (slice(0, 4), slice(0, 4))

    def yellow(image, where):
        red, green, blue = image[where].mean(axis=(0, 1))
        return min(red, green) - blue

    assert yellow(translated, middle) > yellow(source, middle) + 0.2
    assert abs(yellow(translated, corner) - yellow(source, corner)) < 0.2


def test_sample_takes_it_by_its_name(tmp_path):
    output = tmp_path / "translations"
    source = shipped_model.photographs(NAME)[3]
    assert sample.main(["--run", NAME, "--source", str(source), "--output", str(output)]) == 0
    assert (output / "latent_guided.png").is_file()


@pytest.mark.slow
def test_the_page_takes_it_by_its_name_and_by_none(cache):
    model = shipped_model.find(NAME)
    assert model.is_relative_to(cache) and shipped_model.find(NAME) == model
    card = LocalModel(newest_version(model)).card
    assert card["licence"] == "CC BY-SA 3.0" and "Hughes" in card["attribution"]
    assert card["metrics"]["photographs"]["latent"]["mean"]["judge"] > 0.9
    given = demo.Arguments()
    assert demo._examples(given, NAME) == shipped_model.photographs(NAME)
    assert demo._examples(given, "elsewhere") == []


@pytest.mark.long
def test_a_run_starts_from_it(tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    images_to_tfrecords.run(images_to_tfrecords.Arguments(input=str(PHOTOGRAPHS), output=str(data), image_size=64))
    small = ["--input.batch_size", "2", "--training.steps", "1", "--training.devices", "1"]
    assert train.main(["--data", str(data), "--run", str(run), "--init_from", NAME, *small]) == 0
    assert run_directory.licence(run) == run_directory.licence(named_runs.find(NAME))
