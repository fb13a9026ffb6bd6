import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.config import Config, LossConfig, RunConfig
from stargan_tf.runs import checkpoint_files
from stargan_tf.runs.checkpoint_files import DIRECTORY, find_latest
from stargan_tf.runs.checkpoints import Checkpoints, SaveError, load_ema
from stargan_tf.runs.run_directory import writing
from stargan_tf.runs.state import create_state
from stargan_tf.training.distribution import create_strategy


@pytest.fixture(scope="module")
def config(tiny_model):
    return Config(
        domains=("a", "b", "c"),
        model=replace(tiny_model, spectral_norm=True),
        training=RunConfig(keep_checkpoints=2),
    )


def variables(state) -> dict[str, tf.Variable]:
    """Every variable that training changes."""
    owners = [*state.networks.items(), *((f"ema_{name}", network) for name, network in state.ema.items())]
    owners += [(f"adam_{name}", optimizer) for name, optimizer in state.optimizers.items()]
    # Numbered, because blocks share the paths of their variables.
    return (
        {"step": state.step}
        | {
            f"{name}/{index}/{variable.path}": variable
            for name, owner in owners
            for index, variable in enumerate(owner.variables)
            if not variable.path.endswith("learning_rate")  # which is that of the configuration
        }
        | {"rollbacks": state.rollbacks}
    )


def values(state) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in variables(state).items()}


def fill(state, seed, step):
    """Gives every variable values of its own."""
    random = np.random.default_rng(seed)
    for variable in variables(state).values():
        low, high = (0, 1000) if "int" in str(variable.dtype) else (-1, 1)
        variable.assign(random.uniform(low, high, variable.shape).astype(tf.as_dtype(variable.dtype).as_numpy_dtype))
    state.step.assign(step)
    return state


@pytest.fixture(scope="module")
def filled(config):
    return fill(create_state(config), seed=0, step=17)


@pytest.fixture
def run(filled, config, tmp_path):
    Checkpoints(filled, config, tmp_path).save()
    return tmp_path


@pytest.mark.slow
def test_everything_is_restored_to_the_bit(filled, config, run):
    other = fill(create_state(config), seed=1, step=5)
    expected = values(filled)
    assert sum(not np.array_equal(value, expected[name]) for name, value in values(other).items()) == len(expected)
    checkpoints = Checkpoints(other, config, run)
    assert checkpoints.restore_latest() == 17
    restored = values(other)
    assert [name for name, value in expected.items() if not np.array_equal(restored[name], value)] == []
    assert any("second_moment" in name for name in expected) and any("left_singular" in name for name in expected)
    assert checkpoints.saved_step == 17


@pytest.fixture(scope="module")
def of_an_earlier_version(config):
    """A state with first moments, which earlier versions kept although `beta_1` is 0."""
    with_first_moments = replace(config, optimizers=replace(config.optimizers, beta_1=0.5))
    return fill(create_state(with_first_moments), seed=2, step=17)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_checkpoint_with_first_moments_that_are_no_longer_kept(of_an_earlier_version, config, replicas, tmp_path):
    Checkpoints(of_an_earlier_version, config, tmp_path).save()
    earlier = values(of_an_earlier_version)
    with create_strategy(devices=replicas).scope():
        state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    assert checkpoints.restore_latest() == 17
    for name, network in state.networks.items():
        optimizer, theirs = state.optimizers[name], of_an_earlier_version.optimizers[name]
        assert optimizer.first_moments == [] and len(optimizer.second_moments) == len(network.trainable_variables)
        assert optimizer.iterations.numpy() == theirs.iterations.numpy()
        for moment, expected in zip(optimizer.second_moments, theirs.second_moments, strict=True):
            np.testing.assert_array_equal(moment.numpy(), expected.numpy())
    for name, value in values(state).items():
        if not name.startswith("adam_"):
            np.testing.assert_array_equal(value, earlier[name], err_msg=name)
    size = find_latest(tmp_path).with_suffix(".data-00000-of-00001").stat().st_size
    state.step.assign(18)
    checkpoints.save()
    assert find_latest(tmp_path).with_suffix(".data-00000-of-00001").stat().st_size < size - 3000
    state.step.assign(0)
    assert Checkpoints(state, config, tmp_path).restore_latest() == 18


@pytest.mark.slow
def test_first_moments_begin_with_zeros_where_they_were_not_kept(config, filled, run):
    """As in a run that goes on with another `beta_1`."""
    changed = replace(config, optimizers=replace(config.optimizers, beta_1=0.5))
    state = create_state(changed)
    assert Checkpoints(state, config, run).restore_latest() == 17
    for name, optimizer in state.optimizers.items():
        assert not any(np.any(moment.numpy()) for moment in optimizer.first_moments)
        for moment, expected in zip(optimizer.second_moments, filled.optimizers[name].second_moments, strict=True):
            np.testing.assert_array_equal(moment.numpy(), expected.numpy())


@pytest.mark.slow
def test_a_checkpoint_of_an_earlier_version_must_be_complete(of_an_earlier_version, config, tmp_path):
    state = of_an_earlier_version
    incomplete = replace(state, optimizers={name: state.optimizers[name] for name in ("generator", "discriminator")})
    Checkpoints(incomplete, config, tmp_path).save()
    with pytest.raises(AssertionError, match=r"mapping_network|not assigned a value"):
        Checkpoints(create_state(config), config, tmp_path).restore_latest()


@pytest.mark.slow
def test_a_run_may_move_from_one_device_to_several_and_back(filled, config, run):
    strategy = create_strategy()
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        mirrored = create_state(config)
    checkpoints = Checkpoints(mirrored, config, run)
    assert checkpoints.restore_latest() == 17
    expected = values(filled)
    for name, value in values(mirrored).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    mirrored.step.assign(18)
    checkpoints.save()

    single = create_state(config)
    assert Checkpoints(single, config, run).restore_latest() == 18
    for name, value in (values(single) | {"step": 17}).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_without_a_checkpoint_nothing_happens(filled, config, tmp_path):
    before = values(filled)
    checkpoints = Checkpoints(filled, config, tmp_path)
    assert checkpoints.restore_latest() == 0 and checkpoints.saved_step is None
    for name, value in values(filled).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.slow
def test_only_the_newest_are_kept(config, tmp_path):
    state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    for step in (1, 2, 3, 4):
        state.step.assign(step)
        checkpoints.save()
    names = {path.name.split(".")[0] for path in (tmp_path / DIRECTORY).glob("step-*")}
    assert names == {"step-3", "step-4"}

    # A resumed run goes on counting.
    resumed = Checkpoints(state, config, tmp_path)
    assert resumed.restore_latest() == 4
    state.step.assign(5)
    resumed.save()
    assert {path.name.split(".")[0] for path in (tmp_path / DIRECTORY).glob("step-*")} == {"step-4", "step-5"}


@pytest.mark.slow
def test_what_a_kill_after_saving_left_undone_is_done_when_the_run_goes_on(config, tmp_path, monkeypatch):
    state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    for step in (1, 2, 3):
        state.step.assign(step)
        if step == 3:
            monkeypatch.setattr(checkpoint_files, "prune", lambda run, keep: None)
        checkpoints.save()
    monkeypatch.undo()
    assert tf.train.latest_checkpoint(tmp_path / DIRECTORY).endswith("step-2")
    assert Checkpoints(state, config, tmp_path, writes=False).restore_latest() == 3
    assert (tmp_path / DIRECTORY / "step-1.index").exists()  # another process writes
    assert Checkpoints(state, config, tmp_path).restore_latest() == 3
    assert tf.train.latest_checkpoint(tmp_path / DIRECTORY).endswith("step-3")
    assert not (tmp_path / DIRECTORY / "step-1.index").exists()


@pytest.mark.slow
def test_a_step_is_saved_once(config, tmp_path):
    state = create_state(config)
    checkpoints = Checkpoints(state, config, tmp_path)
    state.step.assign(3)
    checkpoints.save()
    assert find_latest(tmp_path) == tmp_path / DIRECTORY / "step-3"
    written = (tmp_path / DIRECTORY / "step-3.index").stat().st_mtime_ns
    checkpoints.save()
    assert (tmp_path / DIRECTORY / "step-3.index").stat().st_mtime_ns == written


def test_inference_loads_the_averages(filled, config, run):
    networks, step = load_ema(config, run)
    assert step == 17
    assert networks.discriminator is None
    averages, trained = dict(filled.ema.items()), dict(filled.networks.items())
    for name, network in networks.items():
        assert len(network.get_weights()) == len(averages[name].get_weights()) > 0
        for weight, average in zip(network.get_weights(), averages[name].get_weights(), strict=True):
            np.testing.assert_array_equal(weight, average)
        assert not np.array_equal(network.get_weights()[0], trained[name].get_weights()[0])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"domains": ("a", "c", "b")}, r"domains is \['a', 'b', 'c'\] there and \['a', 'c', 'b'\] now"),
        ({"losses": LossConfig(lambda_cyc=2.0)}, r"losses.lambda_cyc is 1.0 there and 2.0 now"),
        ({"training": RunConfig(seed=7)}, r"training.seed is 0 there and 7 now"),
    ],
)
def test_the_checkpoint_of_another_configuration_is_refused(change, sentence, filled, config, run):
    before = values(filled)
    with pytest.raises(UserError, match=rf"step-17' belongs to another configuration \({sentence}\)"):
        Checkpoints(filled, replace(config, **change), run).restore_latest()
    for name, value in values(filled).items():
        np.testing.assert_array_equal(value, before[name])


def test_inference_with_other_networks_or_domains_is_refused(config, run):
    for change in ({"domains": ("a", "c", "b")}, {"model": replace(config.model, style_dim=9)}):
        with pytest.raises(UserError, match=f"{next(iter(change))}.* there and .* now"):
            load_ema(replace(config, **change), run)


def test_a_run_without_checkpoint_is_named(config, tmp_path):
    with pytest.raises(UserError, match=f"'{tmp_path}' has no checkpoint yet"):
        load_ema(config, tmp_path)


# ---------------------------------------------------------------------- damage


@pytest.fixture
def two(filled, config, tmp_path):
    """A run with the checkpoints of steps 17 and 18."""
    checkpoints = Checkpoints(filled, config, tmp_path)
    checkpoints.save()
    filled.step.assign(18)
    checkpoints.save()
    filled.step.assign(17)
    return tmp_path


def truncate(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_checkpoint_is_passed_over(damage, part, filled, config, two, capfd):
    path = two / DIRECTORY / f"step-18.{part}"
    damage(path)
    assert load_ema(config, two)[1] == 17
    told = "" if not path.exists() and part == "index" else f"the checkpoint '{two / DIRECTORY / 'step-18'}' is damaged"
    assert told in capfd.readouterr().err

    state = filled
    state.step.assign(0)
    checkpoints = Checkpoints(state, config, two)
    assert checkpoints.restore_latest() == 17
    # What is left of it is kept, but out of the way.
    names = {path.name for path in (two / DIRECTORY).iterdir()}
    assert told == "" or any(name.startswith("damaged-step-18.") for name in names)
    state.step.assign(18)
    checkpoints.save()
    state.step.assign(0)
    assert Checkpoints(state, config, two).restore_latest() == 18
    state.step.assign(17)


def test_if_all_are_damaged_nothing_starts_anew(filled, config, two):
    for path in (two / DIRECTORY).glob("*.index"):
        truncate(path)
    with pytest.raises(UserError, match=r"all checkpoints of the run .* are damaged \(steps 18, 17\)"):
        Checkpoints(filled, config, two).restore_latest()


def test_what_a_killed_save_left_is_removed(filled, config, run):
    directory = run / DIRECTORY
    (directory / "step-18_temp").mkdir()
    (directory / "step-18_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    (directory / "step-18.data-00000-of-00001").write_bytes(b"whole, but without its index")
    checkpoints = Checkpoints(filled, config, run)
    assert checkpoints.restore_latest() == 17
    filled.step.assign(19)
    checkpoints.save()
    filled.step.assign(17)
    assert {path.name.partition(".")[0] for path in directory.iterdir()} == {"checkpoint", "step-17", "step-19"}


def test_a_full_disk(filled, config, tmp_path):
    size = 1 << 20
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", tmp_path], capture_output=True
    ).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        checkpoints = Checkpoints(filled, config, tmp_path)
        checkpoints.save()
        names = {path.name for path in (tmp_path / DIRECTORY).iterdir()}
        (tmp_path / "rest").write_bytes(b"x" * (shutil.disk_usage(tmp_path).free - 20_000))
        filled.step.assign(18)
        with pytest.raises(SaveError, match=r"step 18 .*no space left on the device.*; that of step 17 is as it was"):
            checkpoints.save()
        assert {path.name for path in (tmp_path / DIRECTORY).iterdir()} == names
        # Measurements meet the same.
        with pytest.raises(UserError, match=r"cannot be written .*no space left on the device"), writing(tmp_path):
            (tmp_path / "metrics.jsonl").write_text("x" * size)
        (tmp_path / "rest").unlink()
        checkpoints.save()
        assert Checkpoints(filled, config, tmp_path).restore_latest() == 18
    finally:
        filled.step.assign(17)
        subprocess.run(["umount", tmp_path], check=True)
