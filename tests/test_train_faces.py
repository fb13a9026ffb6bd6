"""Training with the high-pass skip and its face network, by the commands that users run."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_prep import images_to_tfrecords
from stargan_tf import train
from stargan_tf.inference.translator import Translator
from stargan_tf.networks import published_names
from stargan_tf.networks.face_masks import find_masks
from stargan_tf.networks.face_network import FaceNetwork
from stargan_tf.runs import face_network, run_directory
from stargan_tf.runs.checkpoints import load_ema
from tests.fixtures import TINY, flags


@pytest.fixture(scope="module")
def data(images_path, tmp_path_factory) -> Path:
    """The smallest images that the high-pass skip works on, 32 px."""
    path = tmp_path_factory.mktemp("faces") / "data"
    settings = {"image_size": 32, "encoding": "png"}
    images_to_tfrecords.run(images_to_tfrecords.Arguments(input=str(images_path), output=str(path), **settings))
    return path


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    """The file of a face network with random weights."""
    run = tmp_path_factory.mktemp("faces")
    keras.utils.set_random_seed(0)
    tensors = published_names.extract({"fan": FaceNetwork()})["fan"]
    face_network.save(tensors, run)
    return run / "face_network.npz"


def arguments(data, run, *more) -> list[str]:
    return ["--data", str(data), "--run", str(run), *flags(TINY), "--model.w_hpf=1", "--training.steps=2", *more]


@pytest.fixture(scope="module")
def trained(data, faces, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    assert train.main(arguments(data, run, "--face_network", str(faces))) == 0
    return run


def test_a_run_keeps_its_face_network_and_uses_it(trained, faces):
    held, given = face_network.read(trained), face_network.read(faces)
    assert all(np.array_equal(held[name], tensor) for name, tensor in given.items())

    translator = Translator.from_run(trained, batch_size=2)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    styles = translator.styles_from_latents(translator.draw_latents(3, seed=0), "circle")
    nets, _ = load_ema(run_directory.load_config(trained), trained)
    masks = find_masks(face_network.load(trained), tf.constant(images))
    expected = np.clip(nets.generator(images, styles, masks), -1, 1)
    np.testing.assert_allclose(translator.translate(images, styles), expected, atol=1e-5)
    all_styles = translator.translate_all(images, styles)
    np.testing.assert_allclose(all_styles[[0, 1, 2], [0, 1, 2]], expected, atol=1e-5)
    assert np.abs(expected - np.clip(nets.generator(images, styles), -1, 1)).mean() > 1e-3  # masks matter


@pytest.mark.long
def test_it_goes_on_without_being_given_the_network_again(trained, data, capsys):
    assert train.main(["--data", str(data), "--run", str(trained), "--training.steps=3"]) == 0
    assert "from step 2 to 3" in capsys.readouterr().out


def test_a_choice_must_be_made(data, tmp_path, capsys):
    run = tmp_path / "run"
    assert train.main(arguments(data, run)) == 2
    assert "give one with --face_network FILE, or train without masks by --model.face_masks false" in (
        capsys.readouterr().err
    )
    assert not run.exists()


def test_a_published_file_of_another_network(data, tmp_path, capsys):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
    file, run = tmp_path / "wing.ckpt", tmp_path / "run"
    torch.save({"state_dict": {"l0.bias": torch.zeros(99)}}, file)
    assert train.main(arguments(data, run, "--face_network", str(file))) == 2
    assert f"{str(file)!r} holds no face network: the weights do not fit the networks; missing: fan/" in (
        capsys.readouterr().err
    )
    assert not run.exists()


def test_a_new_run_starts_from_another_with_its_face_network(trained, data, tmp_path, capsys):
    run = tmp_path / "new"
    start = ["--data", str(data), "--run", str(run), "--init_from", str(trained), "--training.steps=1"]
    assert train.main(start) == 0
    assert f"starting from the weights of {trained}" in capsys.readouterr().out
    assert (run / "face_network.npz").is_file()
    config = run_directory.load_config(run)
    assert config.model == run_directory.load_config(trained).model
    # Its weights were saved before the first step, so that a crash cannot lose where it began.
    reader = tf.train.load_checkpoint(str(run / "checkpoints" / "step-0"))
    assert reader.get_tensor("step/.ATTRIBUTES/VARIABLE_VALUE") == 0
    gone = [str(tmp_path / "gone") if argument == str(trained) else argument for argument in start]
    assert train.main(gone) == 0
    assert "is trained: 1 of 1 steps" in capsys.readouterr().out
