import numpy as np
import pytest

from stargan_tf.data import schedule


def turns(counters, num_domains=3, seed=0, stream=schedule.SOURCES):
    return schedule.turns(np.asarray(counters), num_domains, seed, stream)


def test_random_words_are_the_same_in_every_version():
    """Were they not, a run would see other images after an update of NumPy."""
    np.testing.assert_array_equal(schedule.random_words(2, 1, 2, 3), [13279728891206244966, 234311473967787377])
    numbers = schedule.uniform(schedule.random_words(1000, 5))
    assert 0 <= numbers.min() < 0.01 and 0.99 < numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("stream", [schedule.SOURCES, schedule.REFERENCES])
def test_every_round_has_each_domain_once(stream):
    domains, before = turns(range(3000), stream=stream)
    rounds = domains.reshape(-1, 3)
    np.testing.assert_array_equal(np.sort(rounds, axis=1), np.tile([0, 1, 2], (1000, 1)))
    # All six orders, about equally often.
    orders, counts = np.unique(rounds, axis=0, return_counts=True)
    assert len(orders) == 6 and counts.min() > 120
    # How often it was a domain's turn before, counted.
    for domain in range(3):
        np.testing.assert_array_equal(before[domains == domain], np.arange(1000))


def test_turns_depend_on_the_counter_alone():
    domains, before = turns(range(20_000))
    part = turns(range(12_345, 12_400))
    np.testing.assert_array_equal(part[0], domains[12_345:12_400])
    np.testing.assert_array_equal(part[1], before[12_345:12_400])
    for other in ({"seed": 1}, {"stream": schedule.REFERENCES}):
        assert np.mean(turns(range(20_000), **other)[0] == domains) == pytest.approx(1 / 3, abs=0.02)


def test_an_epoch_is_a_permutation_of_its_own():
    orders = [
        schedule.epoch_order(50, seed, stream, domain, epoch)
        for seed in (0, 1)
        for stream in (schedule.SOURCES, schedule.REFERENCES)
        for domain in (0, 1)
        for epoch in (0, 1)
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(50))
    assert len({tuple(order) for order in orders}) == len(orders)
    np.testing.assert_array_equal(orders[0], schedule.epoch_order(50, 0, schedule.SOURCES, 0, 0))
