"""Weights and optimizers from PyTorch's files into runs, and back."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf import networks
from stargan_tf.config import ModelConfig
from stargan_tf.inference.translator import Translator
from stargan_tf.interop import torch_files
from stargan_tf.networks import published_names
from stargan_tf.runs import face_network, run_directory
from stargan_tf.runs.checkpoints import Checkpoints, load_ema
from stargan_tf.runs.state import create_state
from tests.fixtures import TINY
from tests.interop.test_torch_files import equal
from tests.parity import draw, draw_parameter
from tests.published_files import (
    ADAM,
    DOMAINS,
    FACES,
    SMALL,
    assert_same,
    averaged,
    call,
    random_state,
    restored,
    save,
    trained_with_torch,
)

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def state():
    return random_state(SMALL, seed=0)


@pytest.fixture(scope="module")
def trained(state):
    return trained_with_torch(state, steps=3)


@pytest.fixture(scope="module")
def files(state, trained, tmp_path_factory):
    """The three files of one step; the averages are others than the trained weights."""
    folder = tmp_path_factory.mktemp("published")
    nets, optims = trained
    torch.save(optims, folder / "000003_optims.ckpt")
    return {
        "nets_ema": save(averaged(state), folder / "000003_nets_ema.ckpt"),
        "nets": save(nets, folder / "000003_nets.ckpt"),
        "optims": folder / "000003_optims.ckpt",
    }


def convert_all(files, run):
    arguments = ("--checkpoint", files["nets_ema"], "--nets", files["nets"], "--optims", files["optims"])
    assert call(*arguments, "--run", run, *DOMAINS) == 0


def export_all(run, folder):
    files = {kind: folder / f"new_{kind}.ckpt" for kind in ("nets_ema", "nets", "optims")}
    flags = ("--to_pytorch", "--to_pytorch_nets", "--to_pytorch_optims")
    assert call("--run", run, *(word for pair in zip(flags, files.values(), strict=True) for word in pair)) == 0
    return files


@pytest.fixture(scope="module")
def converted(files, tmp_path_factory):
    """A run made of the three files; not to be changed."""
    run = tmp_path_factory.mktemp("converted") / "run"
    convert_all(files, run)
    return run


@pytest.fixture(scope="module")
def random_run(tmp_path_factory):
    """A run with values of its own in every variable that training changes."""
    run, random = tmp_path_factory.mktemp("random") / "run", np.random.default_rng(5)
    config = replace(TINY, domains=("circle", "square", "triangle"), model=replace(SMALL, max_channels=512))
    run_directory.open_for_training(run, config)
    state = create_state(config)
    for name, owner in [*state.networks.items(), *state.ema.items(), *state.optimizers.items()]:
        variables = owner.variables
        if name in state.optimizers and owner is state.optimizers[name]:
            variables = owner.first_moments + owner.second_moments
            owner.iterations.assign(7 if name in ("mapping_network", "style_encoder") else 14)
        for variable in variables:
            variable.assign(random.uniform(0.1, 1, variable.shape).astype(np.float32))
    state.step.assign(7)
    Checkpoints(state, config, run).save()
    return run


def test_outputs_are_those_of_the_published_networks(tmp_path):
    with np.load(REFERENCE / "celeba_like_small.npz") as file:
        reference = {name: file[name] for name in file.files}
    tree = {
        network: {name: draw_parameter(f"c1/{network}/{name}", tuple(shape)) for name, shape in shapes.items()}
        for network, shapes in json.loads(bytes(reference["meta"]))["parameters"].items()
    }
    file = save(averaged(tree), tmp_path / "100000_nets_ema.ckpt", prefix="module.")
    run = tmp_path / "run"
    assert call("--checkpoint", file, "--run", run, "--domains", "female,male", "--face_masks", "false") == 0
    config = run_directory.load_config(run)
    assert config.model == ModelConfig(256, num_domains=2, max_channels=32, w_hpf=1.0, face_masks=False)

    nets, _ = load_ema(config, run)
    images = {name: np.tanh(draw(f"c1/{name}", (2, 3, 256, 256))).transpose(0, 2, 3, 1) for name in ("x_real", "x_ref")}
    target = tf.constant([1, 0])
    style = nets.mapping_network(tf.constant(draw("c1/z_trg", (2, 16))), target)
    outputs = {
        "style_latent": style,
        "style_reference": nets.style_encoder(tf.constant(images["x_ref"]), target),
        "fake_no_mask_stride8": nets.generator(tf.constant(images["x_real"]), style)[:, ::8, ::8],
    }
    for name, output in outputs.items():
        error = np.linalg.norm(output.numpy() - reference[name]) / np.linalg.norm(reference[name])
        assert error < 1e-4, name


def test_everything_of_a_training(converted, state, trained):
    config = run_directory.load_config(converted)
    assert config.model == SMALL and config.domains == ("circle", "square", "triangle")
    training, step = restored(converted)
    assert step == 3
    assert_same(published_names.extract(training.ema), averaged(state))
    assert_same(published_names.extract(training.networks), trained[0])
    updates = {name: int(optimizer.iterations.numpy()) for name, optimizer in training.optimizers.items()}
    assert updates == {"generator": 6, "mapping_network": 3, "style_encoder": 3, "discriminator": 6}


@pytest.mark.parametrize("network", ["generator", "mapping_network", "style_encoder", "discriminator"])
def test_the_next_update_is_the_one_that_torch_makes(network, converted, trained):
    nets, optims = trained
    weights = {name: torch.nn.Parameter(torch.from_numpy(np.array(tensor))) for name, tensor in nets[network].items()}
    optimizer = torch.optim.Adam(weights.values(), **ADAM)
    optimizer.load_state_dict(optims[network])

    training, _ = restored(converted)
    variables = getattr(training.networks, network).trainable_variables
    gradients = {id(variable): np.zeros(variable.shape, np.float32) for variable in variables}
    random = np.random.default_rng(7)
    for name, place in published_names.parameters(training.networks)[network].items():
        gradient = random.standard_normal(place.shape).astype(np.float32)
        weights[name].grad = torch.from_numpy(gradient)
        place.select(gradients[id(place.variable)])[...] = gradient

    # The rate of F is so low that its updates could hardly be told from none.
    optimizer.param_groups[0]["lr"] = 1e-4
    training.optimizers[network].learning_rate.assign(1e-4)
    optimizer.step()
    training.optimizers[network].apply([tf.constant(gradients[id(variable)]) for variable in variables], variables)
    updated = published_names.extract(training.networks)[network]
    # Torch counts the updates of each parameter from its first gradient on; here, all of a network share a count.
    late = [name for name in weights if network == "mapping_network" and name.startswith("unshared.1.")]
    for name, weight in weights.items():
        moved = weight.detach().numpy() - nets[network][name]
        assert np.abs(moved).max() > 5e-6
        if name not in late:
            np.testing.assert_allclose(updated[name] - nets[network][name], moved, rtol=0, atol=5e-7, err_msg=name)
    assert len(late) == (8 if network == "mapping_network" else 0)


def test_from_pytorch_and_back_is_exact(converted, files, tmp_path):
    written = export_all(converted, tmp_path)
    for kind in ("nets_ema", "nets"):
        assert equal(torch_files.read(written[kind]), torch_files.read(files[kind]))
    new, old = torch_files.read(written["optims"]), torch_files.read(files["optims"])
    assert list(new) == list(old)
    for network, optimizer in old.items():
        group = optimizer["param_groups"][0]
        assert new[network]["param_groups"] == [{key: group[key] for key in new[network]["param_groups"][0]}]
        assert {entry["step"] for entry in new[network]["state"].values()} == {
            3 if network in ("mapping_network", "style_encoder") else 6
        }
        for index in group["params"]:
            entry = optimizer["state"].get(index)
            for key in ("exp_avg", "exp_avg_sq"):
                moment = new[network]["state"][index][key]
                nothing = entry is None or key == "exp_avg"  # which is the last gradient, and has no effect
                np.testing.assert_array_equal(moment, np.zeros_like(moment) if nothing else entry[key])


def test_from_a_run_and_back_is_exact(random_run, tmp_path):
    run = tmp_path / "run"
    convert_all(export_all(random_run, tmp_path), run)
    (one, step), (other, other_step) = restored(random_run), restored(run)
    assert step == other_step == 7
    compared = 0
    for owners in ("networks", "ema", "optimizers"):
        theirs = dict(getattr(other, owners).items())
        for name, owner in getattr(one, owners).items():
            for variable, same in zip(owner.variables, theirs[name].variables, strict=True):
                np.testing.assert_array_equal(variable.numpy(), same.numpy(), err_msg=f"{owners}/{name}")
                compared += bool(np.any(variable.numpy() != 0))
    assert compared > 240
    assert run_directory.load_config(run).model == run_directory.load_config(random_run).model


def test_torch_takes_what_is_written(random_run, tmp_path):
    files = export_all(random_run, tmp_path)
    nets, optims = (torch.load(files[kind], weights_only=True) for kind in ("nets", "optims"))
    for network, tensors in nets.items():
        optimizer = torch.optim.Adam([torch.nn.Parameter(tensor) for tensor in tensors.values()])
        optimizer.load_state_dict(optims[network])
        group = optimizer.param_groups[0]
        assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.0, 0.99), 1e-8, 1e-4)
        assert group["lr"] == (1e-6 if network == "mapping_network" else 1e-4)
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        updates = 7 if network in ("mapping_network", "style_encoder") else 14
        assert {int(entry["step"]) for entry in optimizer.state.values()} == {updates + 1}
        assert all(bool(torch.isfinite(parameter).all()) for parameter in group["params"])


@pytest.mark.parametrize("file", ["afhq_like_small", "celeba_like_small"])
def test_names_are_written_in_the_published_order(file):
    """It is the order of the optimizers' moments."""
    with np.load(REFERENCE / f"{file}.npz") as arrays:
        meta = json.loads(bytes(arrays["meta"]))
    model = ModelConfig(image_size=256, num_domains=meta["num_domains"], max_channels=32, w_hpf=meta["w_hpf"])
    places = published_names.parameters(networks.build(model))
    for network, shapes in meta["parameters"].items():
        assert list(places[network]) == list(shapes)


@pytest.mark.parametrize("where", ["file", "checkpoint", "nets"])
def test_faces(where, tmp_path, capsys):
    with np.load(REFERENCE / "fan.npz") as file:
        shapes = json.loads(bytes(file["meta"]))["parameters"]
    fan = {name: draw_parameter(f"w1/fan/{name}", tuple(shape)) for name, shape in shapes.items()}
    faces, run = random_state(FACES, seed=1), tmp_path / "run"
    file = save(averaged(faces) | ({"fan": fan} if where == "checkpoint" else {}), tmp_path / "5_nets_ema.ckpt")
    arguments = ["--checkpoint", file, "--run", run, "--domains", "female,male"]
    if where == "file":
        arguments += ["--fan", save({"state_dict": fan}, tmp_path / "wing.ckpt")]
    elif where == "nets":
        arguments += ["--nets", save(faces | {"fan": fan}, tmp_path / "5_nets.ckpt")]
    assert call(*arguments, "--w_hpf", 0.5) == 0
    assert "weight 0.5, with face masks" in capsys.readouterr().out
    assert run_directory.load_config(run).model == replace(FACES, w_hpf=0.5)
    assert_same({"fan": face_network.read(run)}, {"fan": fan})
    assert call("--run", run, "--to_pytorch", tmp_path / "written.ckpt") == 0
    written = torch_files.read(tmp_path / "written.ckpt")
    assert_same(written, averaged(faces) | {"fan": {name: fan[name] for name in written["fan"]}})
    if where == "checkpoint":
        translator = Translator.from_run(run)
        styles = translator.styles_from_latents(translator.draw_latents(2, seed=0), "male")
        images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
        assert np.isfinite(translator.translate(images, styles)).all()
