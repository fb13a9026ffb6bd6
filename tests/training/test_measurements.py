import time

import pytest
import tensorflow as tf

from stargan_tf.training.calls import DATA_WAIT
from stargan_tf.training.hooks.measurements import Measurements, NonFiniteError
from stargan_tf.training.iteration import StepMetrics
from tests.fixtures import TINY


def call(*losses: float, norms: tuple[float, ...] | None = None, wait: float = 0.0) -> StepMetrics:
    """What a call gives whose steps had these losses and norms, and waited so many seconds for their batches."""
    values = [[loss, norm, wait] for loss, norm in zip(losses, norms or losses, strict=True)]
    return StepMetrics(("loss", "norm", DATA_WAIT), tf.constant(values))


@pytest.fixture
def measurements():
    return Measurements(TINY)


def test_steps_are_averaged_and_begin_anew(measurements):
    with measurements.phase("step"):
        measurements.add(1, call(1.0, 3.0))
        measurements.add(3, call(8.0))
    metrics = measurements.close()
    assert metrics["loss"] == 4.0
    assert metrics["speed/images_per_second"] == pytest.approx(2 * metrics["speed/steps_per_second"])
    measurements.add(4, call(5.0))
    assert measurements.close()["loss"] == 5.0


def test_time_is_counted_by_phase(measurements):
    for step in (1, 2):
        with measurements.phase("step"):
            time.sleep(0.05)
        measurements.add(step, call(1.0, wait=0.02))
    with measurements.phase("summaries"):
        time.sleep(0.02)
    metrics = measurements.close()
    assert metrics["time/data_wait"] == pytest.approx(0.02)
    assert metrics["time/step"] >= 0.03
    assert metrics["time/summaries"] >= 0.01
    assert metrics["time/checkpoint"] == 0.0
    assert metrics["speed/steps_per_second"] == pytest.approx(1 / (metrics["time/step"] + metrics["time/data_wait"]))
    measurements.add(3, call(1.0))
    assert measurements.close()["time/summaries"] == 0.0


def test_what_is_not_finite_is_named_with_its_step(measurements):
    measurements.add(4, call(1.0))
    measurements.add(5, call(1.0, 1.0, float("nan"), norms=(1.0, float("inf"), 1.0)))
    with pytest.raises(NonFiniteError, match="norm is inf at step 6, among steps 4 to 7"):
        measurements.close()
    measurements.add(4, call(2.0))
    assert measurements.close()["loss"] == 2.0
