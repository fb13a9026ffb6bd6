"""Our networks are the published function; and networks that are not are found out."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import keras
import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.networks import face_masks, face_network, layers, normalization
from stargan_tf.training.runtime import leave_graphs_as_they_are
from tests import parity

REFERENCE = parity.Path(__file__).parent / "reference"


def rows_over_limit(rows) -> list[str]:
    return [f"{row.name}: {row.error:.1e} > {row.limit:.0e}" for row in rows if not row.ok]


@pytest.fixture(scope="module")
def other_process():
    """TensorFlow keeps the 3 GB that float64 takes at its highest; a process of its own gives them back."""
    with ProcessPoolExecutor(1, get_context("spawn"), leave_graphs_as_they_are) as process:
        yield process


def rows_before_training(name: str) -> list[parity.Row]:
    rows = list(parity.check_file(REFERENCE / f"{name}.npz", training=False))
    assert keras.config.floatx() == "float32"
    return rows


@pytest.mark.parametrize("name", ["r1", "afhq_like_small", "celeba_like_small", "fan", "face_masks"])
def test_every_quantity_before_training_is_within_its_limit(name, other_process):
    rows = other_process.submit(rows_before_training, name).result()
    assert rows_over_limit(rows) == []
    least = {"r1": 30, "afhq_like_small": 380, "celeba_like_small": 400, "fan": 8, "face_masks": 4}
    assert len(rows) >= least[name]


# Minutes of convolutions in float64 each, which nothing shortens.
@pytest.mark.long
@pytest.mark.parametrize("name", ["afhq_like_small", "celeba_like_small"])
def test_three_iterations_of_training_are_within_their_limits(name):
    floatx = keras.config.floatx()
    try:
        reference = parity.Reference(REFERENCE / f"{name}.npz", "float64")
        rows = list(parity.check_training(reference, parity.initial_state(reference), reference.batch()))
    finally:
        keras.config.set_floatx(floatx)
    assert rows_over_limit(rows) == []
    assert len(rows) == 60


@pytest.fixture(scope="module")
def reference():
    return parity.Reference(REFERENCE / "celeba_like_small.npz", "float32")


def outputs_over_limit(reference) -> set[str]:
    nets = parity.networks.build(reference.config.model)
    reference.load_weights(nets)
    rows = parity.check_outputs(reference, nets, reference.batch())
    return {row.name for row in rows if not row.ok}


def test_a_normalization_with_another_epsilon_fails(monkeypatch, reference):
    monkeypatch.setattr(normalization, "INSTANCE_NORM_EPSILON", 1e-3)  # the default of Keras
    assert outputs_over_limit(reference) == {"fake_stride8", "fake_no_mask_stride8", "logit_fake"}


def test_another_slope_fails(monkeypatch, reference):
    monkeypatch.setattr(layers, "LEAKY_RELU_SLOPE", 0.2005)
    assert {"style_reference", "fake_stride8", "logit_real"} <= outputs_over_limit(reference)


def test_masks_in_the_wrong_order_fail(monkeypatch, reference):
    batch = reference.batch()
    monkeypatch.setattr(reference, "batch", lambda: parity.replace(batch, source_masks=batch.source_masks[::-1]))
    assert outputs_over_limit(reference) == {"fake_stride8", "logit_fake"}


@pytest.mark.parametrize("change", ["shift", "power", "in_second"])
def test_other_masks_fail(monkeypatch, change):
    parts = face_masks._PARTS
    for index, part in enumerate(parts):
        other = {"shift": part.shift + 1, "power": part.power + 1, "in_second": not part.in_second}[change]
        changed = (*parts[:index], parity.replace(part, **{change: other}), *parts[index + 1 :])
        monkeypatch.setattr(face_masks, "_PARTS", changed)
        rows = parity.check_face_masks(parity.Reference(REFERENCE / "face_masks.npz", "float32"))
        assert rows_over_limit(rows) != [], part


def test_a_face_network_with_other_coordinates_fails(monkeypatch):
    append = face_network._append_coordinates

    def swapped(x):
        channels = x.shape[-1]
        return tf.gather(append(x), [*range(channels), channels + 1, channels, channels + 2], axis=-1)

    monkeypatch.setattr(face_network, "_append_coordinates", swapped)
    rows = parity.check_face_network(parity.Reference(REFERENCE / "fan.npz", "float32"))
    assert {row.name for row in rows if not row.ok} >= {"heatmap", "mask1", "landmarks"}


def test_the_command_prints_every_row_and_fails_if_one_is_over(tmp_path, capsys):
    with np.load(REFERENCE / "r1.npz") as file:
        arrays = dict(file)
    meta = json.loads(bytes(arrays["meta"]))
    meta["grad_l2"]["main.3.conv2.weight"] *= 1.002
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(tmp_path / "wrong.npz", **arrays)

    assert parity.main([str(tmp_path / "wrong.npz")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("NO")] == [
        "r1/grad_l2/discriminator/main.3.conv2.weight"
    ]
    assert lines[-1].endswith("1 over")


def test_the_command_names_a_missing_file(capsys):
    with pytest.raises(SystemExit) as stop:
        parity.main(["nowhere.npz"])
    assert stop.value.code == 2
    assert "nowhere.npz" in capsys.readouterr().err
