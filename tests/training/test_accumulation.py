"""A batch in parts gives the update of the whole batch, on one device and on two."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from stargan_tf.losses.objectives import Batch
from stargan_tf.training.accumulation import masks_in_parts, part_of
from stargan_tf.training.distribution import create_strategy
from tests.training.fixed_batches import CONFIG, RATE, run_steps, weights

pytestmark = pytest.mark.slow

LAZY = replace(CONFIG, losses=replace(CONFIG.losses, reg_every=2))


@pytest.fixture(scope="module")
def whole():
    return run_steps(create_strategy(devices=1), LAZY)


@pytest.mark.parametrize(("devices", "rematerialize"), [(1, False), (2, True)])
def test_the_update_is_that_of_the_whole_batch(devices, rematerialize, whole):
    in_parts = replace(LAZY, training=replace(LAZY.training, microbatches=2, rematerialize=rematerialize))
    state, before, metrics = run_steps(create_strategy(devices=devices), in_parts)
    expected_state, expected_before, expected_metrics = whole
    after, expected = weights(state), weights(expected_state)
    for name, value in expected.items():
        np.testing.assert_array_equal(before[name], expected_before[name])
        np.testing.assert_allclose(after[name], value, rtol=1e-5, atol=1e-4 * RATE, err_msg=name)
    for step, expected_step in zip(metrics, expected_metrics, strict=True):
        assert step.keys() == expected_step.keys()
        for name, value in expected_step.items():
            if devices == 1 or "grad_norm" not in name:  # over devices, the mean of each one's norm
                assert step[name] == pytest.approx(value, rel=1e-6), name


def test_a_part_has_its_rows_and_its_own_seed():
    images = tf.reshape(tf.range(4.0), (4, 1, 1, 1))
    domains = tf.range(4)
    batch = Batch(images, domains, images, images, domains, images, images, (images, images), seed=(1, 2))
    parts = [part_of(batch, tf.constant(index), 2) for index in range(2)]
    np.testing.assert_array_equal(tf.concat([part.source for part in parts], 0), images)
    np.testing.assert_array_equal(parts[1].target_domain, [2, 3])
    np.testing.assert_array_equal(tf.reshape(parts[1].source_masks[1], (-1,)), [2, 3])
    assert parts[0].find_masks is batch.find_masks
    assert parts[0].seed.numpy().tolist() != parts[1].seed.numpy().tolist()
    assert part_of(replace(batch, source_masks=None), tf.constant(0), 2).source_masks is None


def test_masks_in_parts_are_those_of_all_images():
    images = tf.reshape(tf.range(4.0), (4, 1, 1, 1))
    masks = masks_in_parts(lambda part: (part + 1, part * 2), images, 2)
    np.testing.assert_array_equal(masks[0], images + 1)
    np.testing.assert_array_equal(masks[1], images * 2)
