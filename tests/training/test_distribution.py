"""Two devices, or two processes, compute what one device does on the same global batch."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.base.errors import UserError
from stargan_tf.config import Config
from stargan_tf.runs.checkpoint_files import find_latest
from stargan_tf.runs.state import create_state
from stargan_tf.training.cluster import TF_CONFIG
from stargan_tf.training.distribution import create_strategy
from tests.fixtures import TINY, flags
from tests.training.fixed_batches import CONFIG, RATE, STEPS, run_steps, weights

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained():
    """Both trainings."""
    return tuple(run_steps(create_strategy(devices=devices), CONFIG) for devices in (1, 2))


def test_all_logical_devices_are_used():
    strategy = create_strategy()
    assert isinstance(strategy, tf.distribute.MirroredStrategy)
    assert strategy.num_replicas_in_sync == len(tf.config.list_logical_devices("CPU")) == 2


def test_some_or_too_many_devices():
    assert create_strategy(devices=1).num_replicas_in_sync == create_strategy("one_device").num_replicas_in_sync == 1
    assert create_strategy(devices=2) is create_strategy()
    assert isinstance(create_strategy("mirrored", 1), tf.distribute.MirroredStrategy)
    with pytest.raises(UserError, match=r"--training.devices is 3; this machine has 2 of kind CPU"):
        create_strategy(devices=3)
    with pytest.raises(UserError, match=r"--training.devices is 2; with --training.strategy one_device"):
        create_strategy("one_device", 2)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "multi_worker needs the environment variable TF_CONFIG"),
        ('{"cluster": {"worker": ["a:1"]}}', "multi_worker needs the environment variable TF_CONFIG"),
        ("worker 1 of 2", "TF_CONFIG is 'worker 1 of 2'; it must be JSON like"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}', "this process is worker 2"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}', "TF_CONFIG names ps"),
    ],
)
def test_a_cluster_that_cannot_be(value, sentence, monkeypatch):
    monkeypatch.delenv(TF_CONFIG, raising=False)
    if value is not None:
        monkeypatch.setenv(TF_CONFIG, value)
    with pytest.raises(UserError, match=sentence):
        create_strategy("multi_worker")


def test_the_weights_become_the_same(trained):
    (one, before, _), (two, before_two, _) = trained
    one, two = weights(one), weights(two)
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(before[name], before_two[name], err_msg=name)
        if name.endswith("kernel"):  # nearly every weight moves by about the rate
            slow = 0.1 if name.startswith("ema") else 1.0
            assert np.abs(value - before[name]).mean() > 0.1 * slow * RATE, name
        np.testing.assert_allclose(two[name], value, rtol=1e-5, atol=1e-4 * RATE, err_msg=name)


def test_the_metrics_are_those_of_the_global_batch(trained):
    (_, _, one), (_, _, two) = trained
    assert len(one) == len(two) == STEPS
    for step_one, step_two in zip(one, two, strict=True):
        assert step_one.keys() == step_two.keys()
        for name, value in step_one.items():
            if "grad_norm" not in name:  # the mean over devices of each one's norm
                assert step_two[name] == pytest.approx(value, rel=1e-6), name
    assert one[0] != one[1]


def test_every_device_holds_the_same_copy(trained):
    _, (state, _, _) = trained
    variables = [
        variable.value
        for networks in (state.networks, state.ema)
        for _, network in networks.items()
        for variable in network.variables
    ]
    variables += [variable.value for optimizer in state.optimizers.values() for variable in optimizer.second_moments]
    for variable in variables:
        first, second = variable.values  # one a device
        assert first.device != second.device
        np.testing.assert_array_equal(first, second)


def test_steps_are_counted(trained):
    for state, _, _ in trained:
        assert state.step.numpy() == STEPS
        assert state.optimizers["generator"].iterations.numpy() == 2 * STEPS
        assert state.optimizers["mapping_network"].iterations.numpy() == STEPS


def test_every_device_holds_the_same_singular_vectors(tiny_model):
    strategy = create_strategy()
    with strategy.scope():
        state = create_state(Config(domains=("a", "b", "c"), model=replace(tiny_model, spectral_norm=True)))
    discriminator = state.networks.discriminator
    vectors = discriminator.non_trainable_variables
    before = [vector.numpy() for vector in vectors]
    tf.function(lambda: strategy.run(discriminator.advance_spectral_norm))()
    for vector, value in zip(vectors, before, strict=True):
        first, second = vector.value.values
        np.testing.assert_array_equal(first, second)
        np.testing.assert_allclose(np.linalg.norm(first), 1, rtol=1e-5)
        assert np.abs(first - value).max() > 1e-3


# ---------------------------------------------------------------------- several processes


@pytest.fixture(scope="module")
def workers(data_path, tmp_path_factory):
    """Two workers: five steps on fixed batches, then a run in which the second is killed after some steps."""
    path = tmp_path_factory.mktemp("workers")
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    addresses = [f"localhost:{server.getsockname()[1]}" for server in sockets]
    for server in sockets:
        server.close()
    run = path / "run"
    command = [
        sys.executable,
        "-m",
        "tests.training.fixed_batches",
        str(path / "weights.npz"),
        "--data",
        str(data_path),
    ]
    command += ["--run", str(run), *flags(TINY), "--training.log_every=1", "--training.checkpoint_every=1"]
    command += ["--training.steps_per_call=2"]
    processes = [
        subprocess.Popen(
            command,
            env=os.environ
            | {TF_CONFIG: json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        deadline = time.monotonic() + 300
        while not (run / "metrics.jsonl").exists() or len((run / "metrics.jsonl").read_text().splitlines()) < 3:
            for process in processes:
                assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        processes[1].send_signal(signal.SIGKILL)
        out, err = processes[0].communicate(timeout=100)
        return path, processes[0].returncode, out, err
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_two_workers_end_with_the_weights_of_one_device(workers, trained):
    (state, _, metrics), _ = trained
    one = weights(state)
    with np.load(workers[0] / "weights.npz") as file:
        two = {name.replace("|", "/"): file[name] for name in file.files}
    np.testing.assert_allclose(two.pop("metrics"), [step["g_latent/total"] for step in metrics], rtol=1e-6)
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-5, atol=1e-4 * RATE, err_msg=name)


def test_a_lost_worker_ends_the_job_with_a_sentence(workers):
    path, returncode, out, err = workers
    assert returncode == 75
    assert "on 2 CPUs of 2 workers from step 0" in out
    assert "another worker of the job is lost" in err
    assert "the run goes on from its last checkpoint" in err
    assert "Traceback" not in err
    assert find_latest(path / "run") is not None
    steps = [json.loads(line)["step"] for line in (path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1))  # only one of them wrote
