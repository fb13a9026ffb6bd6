"""The command that makes runs of published checkpoints, as users run it: what it takes, and what it refuses."""

import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; make .venv/pytorch does that")
import torch

from stargan_tf import sample
from stargan_tf.base.errors import UserError
from stargan_tf.config import preset
from stargan_tf.interop import torch_files
from stargan_tf.networks import published_names
from stargan_tf.runs import run_directory
from stargan_tf.runs.checkpoints import Checkpoints, check_trainable, load_ema
from stargan_tf.runs.state import create_state
from tests.fixtures import TINY
from tests.interop.test_torch_files import Command
from tests.published_files import (
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
    without,
)


@pytest.fixture(scope="module")
def state():
    return random_state(SMALL, seed=0)


@pytest.fixture(scope="module")
def faces():
    return random_state(FACES, seed=1)


@pytest.fixture(scope="module")
def folder(state, faces, tmp_path_factory):
    """Files of all kinds; not to be changed."""
    folder = tmp_path_factory.mktemp("files")
    nets, optims = trained_with_torch(state, steps=3)
    save(averaged(state), folder / "3_nets_ema.ckpt")
    save(averaged(state), folder / "ema.ckpt")
    save(nets, folder / "3_nets.ckpt")
    save(without(state, "discriminator", "main.0.bias"), folder / "4_nets.ckpt")
    torch.save(optims, folder / "3_optims.ckpt")
    save(faces, folder / "faces_3_nets.ckpt")
    save(averaged(faces), folder / "faces_3_nets_ema.ckpt")
    save({"fan": {"l0.bias": np.zeros(98)}}, folder / "wing.ckpt")
    return folder


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_averaged_networks_alone(prefix, zipped, state, tmp_path, capsys):
    file = save(averaged(state), tmp_path / "100000_nets_ema.ckpt", prefix, zipped)
    run = tmp_path / "new" / "run"
    assert call("--checkpoint", file, "--run", run, "--domains", "cat, dog,wild") == 0
    out = capsys.readouterr().out
    for line in ("16 x 16", "cat, dog, wild", "4 at full resolution, at most 12", "4, 6, 10", "none", "100,000"):
        assert f" {line}\n" in out
    assert "not trained on" in out

    config = run_directory.load_config(run)
    assert config == replace(preset("afhq_256"), domains=("cat", "dog", "wild"), model=SMALL)
    nets, step = load_ema(config, run)
    assert step == 100_000
    assert_same(published_names.extract(nets), averaged(state))
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "config.yaml"]
    assert [path.name for path in run.parent.iterdir()] == ["run"]


def test_averaged_networks_are_sampled_but_not_trained_on(folder, images_path, tmp_path, capsys):
    run, source = tmp_path / "run", images_path / "val" / "circle"
    assert call("--checkpoint", folder / "3_nets_ema.ckpt", "--run", run, *DOMAINS) == 0
    arguments = ["--run", run, "--source", source, "--output", tmp_path / "output", "--styles", 1]
    assert sample.main(list(map(str, arguments))) == 0
    assert "translated 3 images" in capsys.readouterr().out
    with pytest.raises(UserError, match="averaged networks for inference but no discriminator and no optimizer"):
        check_trainable(run)


def test_trained_networks_serve_as_averaged_ones_if_they_are_alone(folder, tmp_path, capsys):
    file, run = folder / "3_nets.ckpt", tmp_path / "run"
    assert call("--checkpoint", file, "--run", run, *DOMAINS, "--step", 50) == 0
    out = capsys.readouterr().out
    assert "serve as averaged ones too" in out
    assert "goes on from iteration 50, with fresh optimizers" in out
    training, step = restored(run)
    assert step == 50
    nets = torch_files.read(file)
    assert_same(published_names.extract(training.networks), nets)
    assert_same(published_names.extract(training.ema), averaged(nets))
    for optimizer in training.optimizers.values():
        assert not any(np.any(moment.numpy()) for moment in optimizer.first_moments + optimizer.second_moments)
        assert int(optimizer.iterations.numpy()) == 0


def test_rates_and_iterations_come_with_the_optimizers(folder, tmp_path, capsys):
    optims = torch.load(folder / "3_optims.ckpt", weights_only=True)
    for network, optimizer in optims.items():
        optimizer["param_groups"][0]["lr"] = 5e-7 if network == "mapping_network" else 2e-4
    torch.save(optims, tmp_path / "optims.ckpt")
    (tmp_path / "nets.ckpt").write_bytes((folder / "3_nets.ckpt").read_bytes())
    run = tmp_path / "run"
    files = ("--checkpoint", tmp_path / "nets.ckpt", "--optims", tmp_path / "optims.ckpt")
    assert call(*files, "--run", run, *DOMAINS) == 0
    assert "6 of generator, 3 of mapping_network, 3 of style_encoder, 6 of disc" in capsys.readouterr().out
    expected = replace(preset("afhq_256").optimizers, learning_rate=2e-4, mapping_learning_rate=5e-7)
    assert run_directory.load_config(run).optimizers == expected
    _, step = restored(run)
    assert step == 3  # what F and E have, which are updated once in an iteration


def test_faces_without_masks(folder, tmp_path, capsys):
    run = tmp_path / "run"
    file = folder / "faces_3_nets_ema.ckpt"
    assert call("--checkpoint", file, "--run", run, "--domains", "female,male", "--face_masks", "false") == 0
    assert "weight 1, without face masks" in capsys.readouterr().out
    assert run_directory.load_config(run) == replace(
        preset("celeba_hq_256"), domains=("female", "male"), model=replace(FACES, face_masks=False)
    )
    assert not (run / "face_network.npz").exists()


def test_other_image_sizes_come_back_when_told(tmp_path, capsys):
    model = replace(SMALL, image_size=(24, 28))
    file = save(averaged(random_state(model, seed=3)), tmp_path / "5_nets_ema.ckpt")
    run = tmp_path / "run"
    assert call("--checkpoint", file, "--run", run, *DOMAINS, "--image_size", "[24, 28]") == 0
    assert "24 x 28" in capsys.readouterr().out
    assert run_directory.load_config(run).model == model


# ---------------------------------------------------------------------- what is refused


def announcing_ten_gigabytes(path):
    buffer = io.BytesIO()
    torch.save({"generator": {"from_rgb.weight": torch.zeros(1000)}}, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b"M\xe8\x03", b"\x8a\x05" + (2_500_000_000).to_bytes(5, "little")))


def resnet(path):
    save({"generator": {"conv1.weight": np.zeros((64, 3, 7, 7)), "fc.bias": np.zeros(1000)}}, path)


def flat_resnet(path):
    torch.save({f"layer{index}.conv.weight": torch.zeros(8, 8, 3, 3) for index in range(9)}, path)


def command(path):
    torch.save({"generator": {"a": Command("marker")}}, path, _use_new_zipfile_serialization=False)


def truncated(path):
    buffer = io.BytesIO()
    torch.save({"generator": {"a": torch.zeros(10_000)}}, buffer)
    path.write_bytes(buffer.getvalue()[:30_000])


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (command, "holds something else than tensors ('posix.system'), which might run code"),
        (truncated, "is damaged or cut off"),
        (announcing_ten_gigabytes, "is damaged or cut off"),
        (resnet, "the checkpoint holds no mapping_network and no style_encoder"),
        (flat_resnet, "this is no StarGAN v2 checkpoint, which would hold generator"),
    ],
)
def test_a_hostile_file_gets_one_sentence(write, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "7_nets_ema.ckpt")
    assert call("--checkpoint", "7_nets_ema.ckpt", "--run", "run", "--domains", "a,b,c") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "'7_nets_ema.ckpt'" in err
    assert sentence in err
    assert [path.name for path in tmp_path.iterdir()] == ["7_nets_ema.ckpt"]


def test_every_tensor_that_does_not_fit_is_listed(state, tmp_path):
    """In a process of its own: what TensorFlow prints must not stand before the sentence either."""
    tree = without(averaged(state), "generator", "decode.0.conv1.bias")
    tree["generator"] |= {"encode.0.conv9.bias": np.zeros(3)}
    tree["style_encoder"] = state["style_encoder"] | {
        "shared.1.conv2.weight": state["style_encoder"]["shared.1.conv2.weight"].swapaxes(0, 1)
    }
    file = save(tree, tmp_path / "7_nets_ema.ckpt")
    arguments = ["--checkpoint", file, "--run", tmp_path / "run", "--domains", "a,b,c"]
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-m", "stargan_tf.convert", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"python -m stargan_tf.convert: error: '{file}': the weights do not fit the networks; "
        "unknown: generator/encode.0.conv9.bias; missing: generator/decode.0.conv1.bias; "
        "of another shape: style_encoder/shared.1.conv2.weight is (4, 8, 3, 3), not (8, 4, 3, 3)\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["7_nets_ema.ckpt"]


EMA = ("--checkpoint", "3_nets_ema.ckpt")
ABC = ("--domains", "a,b,c")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "give --checkpoint FILE to make a run, or --to_pytorch FILE to write one's networks"),
        (("--nets", "3_nets.ckpt"), "give --checkpoint FILE"),
        ((*EMA, "--to_pytorch", "x"), "--checkpoint reads and --to_pytorch writes PyTorch files; give one of them"),
        (("--checkpoint", "nowhere", *ABC), "there is no file 'nowhere'"),
        (EMA, "names of the 3 domains are not in the checkpoint; give --domains with them, in the order of"),
        ((*EMA, "--domains", "a,b"), "--domains is 'a,b', but the networks have 3 domains; give 3 names"),
        ((*EMA, "--domains", "a,a,b"), "--domains is 'a,a,b', but the networks have 3 domains"),
        ((*EMA, "--domains", "a,,b"), "--domains is 'a,,b', but the networks have 3 domains"),
        ((*EMA, "--domains", "a,b/c,d"), "names must be printable and without slashes"),
        ((*EMA, *ABC, "--w_hpf", "1"), "'3_nets_ema.ckpt': --w_hpf is 1.0, but the generator is one without"),
        ((*EMA, *ABC, "--image_size", "64"), "whose shorter side is at least 16 and below 32"),
        ((*EMA, *ABC, "--step", "-1"), "--step is -1; it must be at least 0"),
        ((*EMA, *ABC, "--fan", "wing.ckpt"), "--fan 'wing.ckpt' is of no use, since the networks have no high-pass"),
        (("--checkpoint", "ema.ckpt", *ABC), "'ema.ckpt' does not tell how long it was trained; give --step"),
        (
            (*EMA, *ABC, "--optims", "3_optims.ckpt"),
            "--optims goes with trained networks; give these, too, with --nets",
        ),
        ((*EMA, *ABC, "--nets", "ema.ckpt"), "--nets 'ema.ckpt' holds no discriminator"),
        ((*EMA, *ABC, "--nets", "4_nets.ckpt"), "3 in '3_nets_ema.ckpt', 4 in '4_nets.ckpt'); give --step"),
        ((*EMA, *ABC, "--nets", "4_nets.ckpt", "--step", "4"), "'4_nets.ckpt': the weights do not fit the networks"),
        ((*EMA, *ABC, "--nets", "faces_3_nets.ckpt"), "hold different networks: image_size is 16 and 32, num_domains"),
        (("--checkpoint", "3_optims.ckpt", *ABC), "generator should be tensors by name, but holds state, param_groups"),
        ((*EMA, *ABC, "--nets", "3_nets.ckpt", "--optims", "3_nets.ckpt"), "'3_nets.ckpt': the optimizer of generator"),
        (("--checkpoint", "faces_3_nets_ema.ckpt", "--domains", "a,b"), "give one with --fan wing.ckpt, or go without"),
        (
            ("--checkpoint", "faces_3_nets_ema.ckpt", "--domains", "a,b", "--fan", "wing.ckpt"),
            "'wing.ckpt': the weights do not fit the networks; missing: fan/",
        ),
        (
            ("--checkpoint", "faces_3_nets_ema.ckpt", *ABC[:1], "a,b", "--fan", "wing.ckpt", "--face_masks", "false"),
            "--fan 'wing.ckpt' is of no use, since --face_masks is false; leave it out",
        ),
        (("--checkpoint", "faces_3_nets_ema.ckpt", "--w_hpf", "0"), "it must be above 0"),
    ],
)
def test_a_mistake_gets_one_sentence(arguments, sentence, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = sorted(path.name for path in folder.iterdir())
    assert call("--run", "run", *arguments) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_an_existing_run_is_refused(folder, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()  # an empty directory is none
    assert call("--checkpoint", folder / "3_nets_ema.ckpt", "--run", run, *DOMAINS) == 0
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    (tmp_path / "file").touch()
    for path in (run, tmp_path / "file"):
        assert call("--checkpoint", folder / "3_nets_ema.ckpt", "--run", path, *DOMAINS) == 2
        assert "exists; choose a new directory" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_files_that_cannot_be_written_from_a_run(folder, tmp_path, capsys):
    alone, spectral = tmp_path / "alone", tmp_path / "spectral"
    assert call("--checkpoint", folder / "3_nets_ema.ckpt", "--run", alone, *ABC) == 0
    config = replace(TINY, domains=("a", "b", "c"), model=replace(SMALL, spectral_norm=True))
    run_directory.open_for_training(spectral, config)
    Checkpoints(create_state(config), config, spectral).save()
    (tmp_path / "there").touch()
    capsys.readouterr()
    file = tmp_path / "new.ckpt"
    for arguments, sentence in (
        (("--run", tmp_path, "--to_pytorch", file), "is not a run directory"),
        (("--run", alone, "--to_pytorch", tmp_path / "there"), "exists; choose another file"),
        (("--run", alone, "--to_pytorch", file, "--to_pytorch_nets", file), "must name different files"),
        (("--run", alone, "--to_pytorch_nets", file), "holds averaged networks only, no discriminator"),
        (("--run", alone, "--to_pytorch_optims", file), "holds averaged networks only, no discriminator"),
        (("--run", spectral, "--to_pytorch_nets", file), "has spectral normalization, which the published one has not"),
    ):
        assert call(*arguments) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and sentence in err
        assert not file.exists()
    for run in (alone, spectral):
        assert call("--run", run, "--to_pytorch", file, "--overwrite") == 0
        assert list(torch_files.read(file)) == ["generator", "mapping_network", "style_encoder"]
