import time

import pytest
import tensorflow as tf

from stargan_tf.training.measurements import Measurements, NonFiniteError
from tests.fixtures import TINY


def test_steps_are_averaged_and_begin_anew():
    measurements = Measurements(TINY)
    measurements.add(1, {"loss": tf.constant(1.0)})
    measurements.add(2, {"loss": tf.constant(3.0)})
    metrics = measurements.close()
    assert metrics["loss"] == 2.0
    assert metrics["speed/images_per_second"] == pytest.approx(2 * metrics["speed/steps_per_second"])
    measurements.add(3, {"loss": tf.constant(5.0)})
    assert measurements.close()["loss"] == 5.0


def test_time_is_counted_by_phase():
    measurements = Measurements(TINY)
    for step in (1, 2):
        with measurements.phase("data_wait"):
            time.sleep(0.02)
        measurements.add(step, {"loss": tf.constant(1.0)})
    metrics = measurements.close()
    assert metrics["time/data_wait"] >= 0.02
    assert metrics["time/checkpoint"] == 0.0
    assert metrics["speed/steps_per_second"] <= 50
    measurements.add(3, {"loss": tf.constant(1.0)})
    assert measurements.close()["time/data_wait"] == 0.0


def test_what_is_not_finite_is_named_with_its_step():
    measurements = Measurements(TINY)
    measurements.add(5, {"loss": tf.constant(1.0), "norm": tf.constant(1.0)})
    measurements.add(6, {"loss": tf.constant(1.0), "norm": tf.constant(float("inf"))})
    measurements.add(7, {"loss": tf.constant(float("nan")), "norm": tf.constant(1.0)})
    with pytest.raises(NonFiniteError, match="norm is inf at step 6, among steps 5 to 7"):
        measurements.close()
    measurements.add(5, {"loss": tf.constant(2.0)})
    assert measurements.close()["loss"] == 2.0
